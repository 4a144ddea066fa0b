"""Priors on the Hugging Face Hub: OWNER/NAME is a repository with the files of a stored prior.

    prior.push_to_hub("OWNER/NAME")              weights and card, by huggingface_hub's mixin
    Prior.from_pretrained("OWNER/NAME")          downloads them, or finds them in the cache
    restora priors pull OWNER/NAME               downloads them for --prior OWNER/NAME

Downloads go through huggingface_hub: into its cache, with its token and endpoint. It resumes where a
connection broke, and keeps files that arrived whole. Each file is then compared with the checksum of the Hub.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

from restora.errors import WeightsError
from restora.pictures.file import digest
from restora.priors.places import APART, WEIGHTS, installed, missing

FILES = (WEIGHTS, "README.md", "samples.png")
Self = TypeVar("Self", bound="OnHub")


class OnHub:
    """What a prior can do with the Hub, by `huggingface_hub.ModelHubMixin`.

    The mixin is imported when it is needed: that takes longer than many a restoration.
    """

    name: str
    card: dict[str, Any]

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Write the weights and the card into a folder."""
        from restora.priors import store

        store.save(Path(save_directory), self, self.card, pictured=False)  # type: ignore[arg-type]

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the weights and the card, filled from the facts of the training, and return the address.

        Args:
            repo_id: OWNER/NAME; the repository is made if there is none.
            options: those of `huggingface_hub.ModelHubMixin.push_to_hub`, such as `private` and `token`.

        Raises:
            WeightsError: if it cannot be uploaded.
        """
        from huggingface_hub import ModelHubMixin

        try:
            return str(ModelHubMixin.push_to_hub(self, repo_id, **options))  # type: ignore[arg-type]
        except WeightsError:
            raise
        except Exception as error:  # the Hub's client raises what its HTTP library does
            raise WeightsError(f"{repo_id}: cannot be uploaded ({_reason(error)})") from error

    @classmethod
    def from_pretrained(
        cls: type[Self],
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
    ) -> Self:
        """The prior of a repository OWNER/NAME on the Hub, or of a folder.

        Args:
            pretrained_model_name_or_path: OWNER/NAME, or a folder with `prior.safetensors`.
            force_download: download again what is in the cache.
            token: a token of the Hub, for private repositories.
            cache_dir: a folder in place of the Hub's cache.
            local_files_only: take it from the cache, and use no network.
            revision: a branch, tag or commit.

        Raises:
            WeightsError: if it cannot be downloaded or loaded, or is a prior of another kind.
        """
        from restora.priors import store

        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            options = {"cache_dir": cache_dir, "force_download": force_download, "token": token}
            more = {"local_files_only": local_files_only, "revision": revision}
            folder = download(str(pretrained_model_name_or_path), **options, **more)
        prior: Any = store.load(folder)
        if not isinstance(prior, cls):
            raise WeightsError(f"{folder}: expected a {cls.__name__}, got a {type(prior).__name__}")
        prior.name = Path(pretrained_model_name_or_path).name
        return prior


def pull(name: str) -> Path:
    """Download the prior OWNER/NAME for `--prior OWNER/NAME`, and return its folder.

    Raises:
        WeightsError: if the Hub cannot be reached or has no such prior, if a checksum differs, for the name
            of a prior that a package brings, or for a name that is not OWNER/NAME.
    """
    if name in APART and name not in installed():
        raise missing(name)
    if name in installed():
        raise WeightsError(f"prior {name!r} is installed; there is nothing to download")
    if name.count("/") != 1:
        raise WeightsError(f"expected OWNER/NAME, a repository on the Hub, got {name!r}")
    return download(name)


def download(name: str, **options: Any) -> Path:
    """The folder of OWNER/NAME in the cache, downloaded as far as it is not there, and checked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=[*FILES], library_name="restora", **options))
        if not (folder / WEIGHTS).is_file():
            raise WeightsError(f"{name}: it has no {WEIGHTS}, so it is not a prior of restora")
        if not options.get("local_files_only"):
            _check(name, folder, options.get("token"))
    except WeightsError:
        raise
    except RepositoryNotFoundError as error:
        raise WeightsError(f"{name}: the Hub has no such repository, or it is private (token)") from error
    except Exception as error:  # the Hub's client raises what its HTTP library does
        raise WeightsError(
            f"{name}: cannot be downloaded ({_reason(error)}). Run it again; complete files are kept"
        ) from error
    return folder


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _check(name: str, folder: Path, token: Any) -> None:
    """Compare the files with the checksums of the Hub; a file that differs is removed."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(name, revision=folder.name, files_metadata=True, token=token)
    for entry in info.siblings or ():
        path = folder / entry.rfilename
        if entry.rfilename not in FILES or not path.is_file():
            continue
        expected, found = (entry.lfs.sha256, digest(path)) if entry.lfs else (entry.blob_id, _blob_id(path))
        if expected and found != expected:
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise WeightsError(
                f"{name}: {path.name} arrived damaged (checksum {found[:12]}, expected {expected[:12]}) "
                "and was removed; download it again"
            )


def _blob_id(path: Path) -> str:
    """What git calls a file: the SHA-1 of its size and its bytes."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
