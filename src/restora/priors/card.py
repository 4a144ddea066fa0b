"""The card of a prior: facts in a YAML head, as the Hugging Face hub reads them, and a few lines of prose."""

from __future__ import annotations

from typing import Any

TEXT = """# {name}

{summary}
{terms}
{kind} for {width}x{height} images with {channels} channels.{pictures}

| fact | value |
|---|---|
{rows}

Use it with `restora restore ... --prior {name}`.
"""
TERMS = "\n**Terms of use:** {}\n"
KINDS = {
    "amortised": "A flow and a network for one evaluation",
    "dictionary": "A dictionary of patches",
    "direct": "A network for one task",
    "flow": "A flow",
    "gan": "A GAN",
    "gaussian": "A Gaussian model",
}
PICTURED = " {}:\n\n![samples](samples.png)"

NOT_SHOWN = ("summary", "pictures", "terms", "calibration")


def text(
    name: str, kind: str, image_shape: tuple[int, int, int], facts: dict[str, Any], pictured: bool = True
) -> str:
    """Markdown of the card. `facts` may have `summary`, `license`, `terms`, and `pictures`, what
    samples.png shows; everything else goes into a table. pictured: whether there is a samples.png."""
    from huggingface_hub import ModelCardData

    head = ModelCardData(
        license=facts.get("license", "other"),
        library_name="restora",
        tags=["image-restoration", kind],
        model_name=name,
    )
    rows = [
        f"| {key.replace('_', ' ')} | {_cell(value)} |"
        for key, value in facts.items()
        if key not in NOT_SHOWN
    ]
    body = TEXT.format(
        name=name,
        summary=facts.get("summary", "A prior trained with restora."),
        terms=TERMS.format(facts["terms"]) if "terms" in facts else "",
        kind=KINDS.get(kind, f"A prior of kind {kind}"),
        pictures=PICTURED.format(facts.get("pictures", "Samples drawn from it")) if pictured else "",
        channels=image_shape[0],
        height=image_shape[1],
        width=image_shape[2],
        rows="\n".join(rows),
    )
    return f"---\n{head.to_yaml()}\n---\n\n{body}"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
