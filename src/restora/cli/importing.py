"""Import a trained network as a prior: a denoiser, a diffusion model, a flow or a generator.

SOURCE is a file (.safetensors, .pth with tensors only, TorchScript, .onnx), a folder of diffusers, or
OWNER/NAME on the Hugging Face Hub, which is then downloaded. DRUNet, FFDNet, the U-Nets of guided diffusion
and EDM, and UNet2DModel are recognised by their tensors. Save any other network as TorchScript or ONNX, and
give its --convention. With --latent, the network is a generator. Use the result with 'restora restore ...
--prior DIR'.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from restora.cli.arguments import a_path
from restora.cli.options import meaning, metavar
from restora.cli.pages import entry, summary
from restora.cli.settings import read_settings
from restora.errors import OptionError
from restora.options import describe, options, show
from restora.priors import Prior, importing, store
from restora.priors.conventions import conventions
from restora.runs.items import make_folder

SUMMARY = "import a trained network as a prior"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a file, a folder of diffusers, or OWNER/NAME on the Hub")
    add("-o", "--output", type=a_path, required=True, metavar="DIR", help="output folder for the prior")
    text = f"input and output of the network: {', '.join(conventions.names())} (as recognised)"
    add("--convention", choices=conventions.names(), metavar="NAME", help=text)
    text = "a setting of the convention, such as answer=noise; 'restora priors conventions NAME' lists them"
    add("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings", help=text)
    text = "values of black and white for the network, such as --range=-1,1"
    add("--range", type=_pair, metavar="LOW,HIGH", help=text)
    text = "lowest and highest noise level in training, full scale = 1, such as 0,50/255"
    add("--levels", type=_pair, metavar="LOW,HIGH", help=text)
    add("--channels", type=int, metavar="N", help="channels of its images (as recognised, otherwise 3)")
    add("--size", type=int, metavar="N", help="side of its images in pixels, if it is fixed (as recognised)")
    text = "a Gaussian model of such images, by 'restora train gaussian', or none (natural-gaussian)"
    add("--gaussian", metavar="NAME|DIR|none", help=text)
    text = "2 if images may be mirrored, 8 if they may also be rotated (as recognised, otherwise 1)"
    add("--symmetries", type=int, choices=(1, 2, 8), metavar="1|2|8", help=text)
    add("--latent", type=int, metavar="N", help="the network is a generator, for latents of this length")
    text = "generators: the network that maps latents to styles, as TorchScript"
    add("--mapping", type=a_path, metavar="FILE", help=text)
    text = "generators on the Hub: the class of the network, which must have from_pretrained"
    add("--class", dest="of", metavar="PACKAGE.MODULE:CLASS", help=text)
    add("--license", metavar="TEXT", help="licence of the network, for the card")
    text = "skip the test that the network denoises a smooth image"
    add("--unchecked", action="store_true", help=text)


def run(args: argparse.Namespace) -> int:
    prior, facts = _generator(args) if args.latent is not None else _denoiser(args)
    facts = {"summary": _summary(facts), **facts}
    if args.license:
        facts["license"] = args.license
    make_folder(args.output)
    store.save(args.output, prior, facts, pictured=False)
    print(json.dumps(facts) if args.json else f"{args.output}: {_told(prior, facts)}")
    return 0


def _generator(args: argparse.Namespace) -> tuple[Prior, dict[str, Any]]:
    _without(args, "convention", "levels", "gaussian", "symmetries", "channels", "size")
    if args.latent < 1:
        raise OptionError(f"--latent: expected a whole number of at least 1, got {args.latent}")
    value_range = args.range or (-1.0, 1.0)
    return importing.generator(
        args.source, args.latent, mapping=args.mapping, value_range=value_range, of=args.of
    )


def _denoiser(args: argparse.Namespace) -> tuple[Prior, dict[str, Any]]:
    _without(args, "mapping", "of")
    chosen = args.convention
    if args.settings and chosen is None:
        raise OptionError("--set is for settings of a convention; name it with --convention")
    return importing.denoiser(
        args.source,
        chosen,
        read_settings(conventions.get(chosen), chosen, args.settings) if args.settings else {},
        value_range=args.range,
        levels=args.levels,
        channels=args.channels,
        size=args.size,
        gaussian=args.gaussian,
        symmetries=args.symmetries,
        check=not args.unchecked,
    )


def _without(args: argparse.Namespace, *names: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            kind = (
                "a denoiser: leave --latent out" if args.latent is not None else "a generator: give --latent"
            )
            raise OptionError(f"--{'class' if name == 'of' else name} is for {kind}")


def list_conventions(name: str | None, as_json: bool) -> int:
    """Print the conventions, or the settings of one."""
    chosen = {name: conventions.get(name)} if name else dict(conventions)
    if as_json:
        facts = {
            key: {field.name: describe(field, hint) for field, hint in options(cls)}
            for key, cls in chosen.items()
        }
        print(json.dumps(facts, indent=1))
        return 0
    for key, cls in chosen.items():
        print(f"{key:6}{summary(cls)}")
    for field, hint in options(chosen[name]) if name else ():
        print(entry(f"{field.name}={metavar(hint)}", f"{meaning(field, hint)} ({show(field.default)})"))
    return 0


def _pair(text: str) -> tuple[float, float]:
    try:
        low, high = (_number(part) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"expected two numbers, LOW,HIGH, such as 0,50/255, got {text!r}") from None
    return low, high


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def _summary(facts: dict[str, Any]) -> str:
    return f"{facts.get('architecture', 'A network')} imported from {facts['source']}."


def _told(prior: Prior, facts: dict[str, Any]) -> str:
    channels, height, width = prior.image_shape
    size = "images of any size" if prior.any_size else f"{width}x{height} images"
    levels = f", for noise from {facts['levels']}" if "levels" in facts else ""
    return f"{facts.get('architecture', 'a network')} for {size} with {channels} channels{levels}"
