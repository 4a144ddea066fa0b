"""A flow as a prior: a network that removes noise of any level turns noise into images.

    w_t = t x + (1 - t) s e,   e ~ N(0, I),   s = 1/2,   t from 0 (noise) to 1 (images, in [0, 1])
    D_t(w) = E[x | w_t = w],   v_t(w) = (D_t(w) - w) / (1 - t),   dw/dt = v_t(w)

This is flow matching with independent coupling (Lipman et al., ICLR 2023), halved: 2 w - t is its path for
images in [-1, 1] and noise of variance 1. The `form` of a network N defines D = skip + scale N:

    velocity   N(2 w - t, t),  skip = w + (1 - t) / 2,  scale = (1 - t) / 2
    denoiser   N(w, t),  skip = 0,  scale = 1
    residual   N([2 L - 1, (w - t L) / sqrt(t^2 c^2 + (1 - t)^2 s^2)], t),  skip = L_t(w),  scale = c_t

or it is a convention of `restora.priors.conventions`. L_t is the linear denoiser of a Gaussian prior and c_t
its error (`restora.gaussian.wiener`), so a residual network learns only the remaining error, in units of c_t.
Above the noise levels that a network knows, D_t = L_t if there is a Gaussian prior.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from restora.device import fast_bfloat16
from restora.errors import OptionError
from restora.gaussian.wiener import Wiener
from restora.networks.stored import build, describe
from restora.networks.unet import UNet
from restora.orientation import lay, upright
from restora.priors import conventions, packing
from restora.priors.base import Prior
from restora.priors.conventions import DENOISER, SCALE, VELOCITY, Convention, Preconditioned
from restora.priors.gaussian import GaussianPrior
from restora.random import Generators, randn

AT_ONCE = 2**20  # pixels that pass the network together, which bounds its memory
Form = Literal["residual", "velocity", "denoiser"]
NAMED: dict[str, Convention | None] = {"residual": None, "velocity": VELOCITY, "denoiser": DENOISER}


def evaluate(
    network: nn.Module,
    x: Tensor,
    t: Tensor,
    call: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """network(x, t), or call(network, x, t), in the dtype of x; inside a U-Net in bf16 where the processor
    has it."""
    half = isinstance(network, UNet) and x.dtype == torch.float32 and fast_bfloat16(x.device)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        return (call(network, x, t) if call else network(x, t)).to(x.dtype)


class FlowPrior(Prior):
    """A flow: a network that removes noise of any level, and optionally a Gaussian model of the same images.

    The network is put into evaluation mode and frozen. Raises OptionError if arguments do not fit each other.

    Args:
        network: any `nn.Module`: images (B, K, H, W) and levels (B,) to (B, C, H, W), as defined by `form`.
        gaussian: a Gaussian model of the images, whose covariance solvers use. The form "residual" needs it.
        form: "residual" (default with `gaussian`), "velocity" (default without), "denoiser" or a convention.
        image_shape: (C, H, W); needed without `gaussian`.
        symmetries: 1, 2 if images may be mirrored, or 8 if they may also be rotated.
        any_size: whether the network accepts any size; by default its attribute `any_size`.
    """

    kind = "flow"
    scale = SCALE
    shipped: ClassVar[tuple[str, ...]] = ("faces64", "natural")

    def __init__(
        self,
        network: nn.Module,
        gaussian: GaussianPrior | None = None,
        form: Form | Convention | None = None,
        image_shape: tuple[int, int, int] | None = None,
        symmetries: Literal[1, 2, 8] = 1,
        any_size: bool | None = None,
    ):
        super().__init__()
        form = form or ("residual" if gaussian else "velocity")
        if not isinstance(form, Convention) and form not in NAMED:
            raise OptionError(
                f"form must be one of {', '.join(get_args(Form))}, or a convention, got {form!r}"
            )
        if symmetries not in (1, 2, 8):
            raise OptionError(f"expected 1, 2 or 8, got {symmetries!r}", "symmetries")
        self.form = form
        self.convention = form if isinstance(form, Convention) else NAMED[form]
        if self.convention is None and gaussian is None:
            raise OptionError("a FlowPrior of the form 'residual' needs a GaussianPrior; give gaussian=...")
        shape = image_shape or (gaussian.image_shape if gaussian else None)
        if shape is None:
            raise OptionError("a FlowPrior without a GaussianPrior needs image_shape=(C, H, W)")
        self.image_shape = shape
        self.network, self.gaussian, self.symmetries = network, gaussian, symmetries
        self._free = getattr(network, "any_size", False) if any_size is None else any_size
        self._wiener: Wiener | None = None
        self._grey: FlowPrior | None = None
        self._sized: dict[Any, FlowPrior] = {}  # the last one: a Wiener takes a while
        self.eval().requires_grad_(False)

    @classmethod
    def from_denoiser(
        cls,
        network: nn.Module,
        convention: str | Convention = "ve",
        value_range: tuple[float, float] | None = None,
        levels: tuple[float, float] | None = None,
        **options: Any,
    ) -> FlowPrior:
        """Make a prior from a network that removes noise; see `restora.priors.foreign.from_denoiser`."""
        from restora.priors.foreign import from_denoiser  # made of this class

        return from_denoiser(network, convention, value_range, levels, **options)

    @property
    def first(self) -> float:
        """The noisiest level t that the network knows; 0 unless its convention limits the noise."""
        return 0.0 if self.convention is None else 1 / (1 + self.convention.levels[1] / SCALE)

    @property
    def wiener(self) -> Wiener | None:
        """The linear denoiser of the Gaussian model; computed on first use, which takes a while."""
        if self._wiener is None and self.gaussian is not None:
            self._wiener = Wiener(self.gaussian.mean, self.gaussian.covariance, self.scale)
        return self._wiener

    @property
    def peak(self) -> float | None:
        return None if self.gaussian is None else self.gaussian.peak

    @property
    def any_size(self) -> bool:
        """Whether it works for images of any size: no directions in the Gaussian model, and no attention in
        the network."""
        return self._free and (self.gaussian is None or self.gaussian.any_size)

    def grey(self) -> FlowPrior:
        """See `restora.priors.grey`; takes the same number of evaluations of the network."""
        from restora.priors.grey import GreyFlow  # made of this class

        if self.image_shape[0] == 1:
            return self
        self._grey = self._grey or GreyFlow(self)
        return self._grey

    def sized(self, height: int, width: int) -> FlowPrior:
        if (height, width) == self.image_shape[1:]:
            return self
        if not self.any_size:
            super().sized(height, width)
        shape = self.image_shape[0], height, width
        mean = self.gaussian.mean if self.gaussian else torch.empty(0)
        key = shape, mean.device, mean.dtype
        if key not in self._sized:
            gaussian = self.gaussian.sized(height, width) if self.gaussian else None
            self._sized = {key: self._of(gaussian, shape)}
        prior = self._sized[key]
        prior.name, prior.card = self.name, self.card
        return prior

    def _of(self, gaussian: GaussianPrior | None, shape: tuple[int, int, int]) -> FlowPrior:
        """The same networks for images of another shape."""
        return FlowPrior(self.network, gaussian, self.form, shape, self.symmetries, self._free)

    def precondition(self, w: Tensor, t: Tensor) -> Preconditioned:
        """The input of the network at w (B, C, H, W) and t (B,), and how its output is scaled."""
        if self.convention is not None:
            return self.convention.precondition(w, t)
        t_ = t.view(-1, 1, 1, 1)
        assert self.wiener is not None
        with torch.autocast(w.device.type, enabled=False):
            L, error = self.wiener(w, t)
        c = error.view(-1, 1, 1, 1)
        deviation = ((t_ * c).square() + ((1 - t_) * self.scale).square()).sqrt()
        return Preconditioned(torch.cat([2 * L - 1, (w - t_ * L) / deviation], 1), t, L, c)

    def denoise(self, w: Tensor, t: Tensor | float, orientation: int = 0) -> Tensor:
        """D_t(w) = E[x | w_t = w], (B, C, H, W), for w (B, C, H, W) and t in [0, 1], a number or (B,).

        `orientation`: the flip or rotation in which the network sees w, modulo `symmetries`; average over
        several.
        """
        t = torch.as_tensor(t, dtype=w.dtype, device=w.device).expand(len(w))
        most = max(1, AT_ONCE // (w.shape[-2] * w.shape[-1]))
        if len(w) > most:
            pairs = zip(w.split(most), t.split(most), strict=True)
            return torch.cat([self.denoise(*pair, orientation) for pair in pairs])
        parts, k = self.precondition(w, t), orientation % self.symmetries
        call = None if self.convention is None else self.convention.evaluate
        answer = upright(evaluate(self.network, lay(parts.input, k), parts.level, call), k)
        x = parts.skip + parts.scale * answer
        return x if self.convention is None else self._within(x, w, t)

    def _within(self, x: Tensor, w: Tensor, t: Tensor) -> Tensor:
        """x as its convention has it: cut to black and white, and L_t where it does not know the level."""
        assert self.convention is not None
        x = x.clamp(0, 1) if self.convention.clip else x
        unknown = t < self.first - 1e-6
        if self.wiener is None or not bool(unknown.any()):
            return x
        return torch.where(unknown.view(-1, 1, 1, 1), self.wiener(w, t)[0], x)

    def velocity(self, w: Tensor, t: Tensor | float) -> Tensor:
        """v_t(w) = dw/dt of the flow, (B, C, H, W), for t < 1."""
        left = 1 - torch.as_tensor(t, dtype=w.dtype, device=w.device).view(-1, 1, 1, 1)
        return (self.denoise(w, t) - w) / left

    @torch.no_grad()
    def sample(self, n: int, generator: Generators = None, steps: int = 20) -> Tensor:
        """Draw n images (n, C, H, W) in [0, 1] by Heun's method, with 2 steps - 1 network evaluations."""
        like = next(self.network.parameters(), self.gaussian.mean if self.gaussian else torch.empty(0))
        w = self.scale * randn((n, *self.image_shape), generator, like=like)
        for i in range(steps):
            t, dt = 1 - (1 - i / steps) ** 2, (2 * (steps - i) - 1) / steps**2
            v = self.velocity(w, t)
            if i + 1 < steps:
                v = (v + self.velocity(w + dt * v, t + dt)) / 2
            w = w + dt * v
        return w.clamp(0, 1)

    def pack(self) -> dict[str, Tensor]:
        """The network, in half precision if it is a U-Net of restora, and the packed Gaussian model."""
        own = isinstance(self.network, UNet)
        network = packing.halves(self.network) if own else self.network.state_dict()
        return packing.join(network=network, gaussian=self.gaussian.pack() if self.gaussian else {})

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        self.network.load_state_dict(packing.floats(packing.part(tensors, "network")))
        if self.gaussian is not None:
            self.gaussian.unpack(packing.part(tensors, "gaussian"))
            self._wiener, self._sized = None, {}

    def config(self) -> dict[str, Any]:
        gaussian = self.gaussian.config() if self.gaussian else None
        form = conventions.to_config(self.form) if isinstance(self.form, Convention) else self.form
        own = {"form": form, "shape": list(self.image_shape), "symmetries": self.symmetries}
        return {"network": describe(self.network), "gaussian": gaussian, **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FlowPrior:
        network, form = build(config["network"]), config["form"]
        gaussian = GaussianPrior.from_config(config["gaussian"]) if config["gaussian"] else None
        channels, height, width = config["shape"]
        form = conventions.from_config(form) if isinstance(form, dict) else form
        return cls(network, gaussian, form, (channels, height, width), config.get("symmetries", 1))
