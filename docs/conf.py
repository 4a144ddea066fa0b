"""The documentation site: `make docs`, then open build/docs/index.html. It loads nothing from other hosts."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("COLUMNS", "100")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
warnings.filterwarnings("ignore", message=".*non-interactive.*")

import matplotlib  # noqa: E402

import restora  # noqa: E402

matplotlib.rcParams["savefig.bbox"] = "tight"  # as in a notebook; titles are cut without

project = "restora"
author = "restora contributors"
copyright = "2026, restora contributors"
release = restora.__version__
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_argparse_cli",
    "docstrings",
    "mathml",
    "generated",
]
exclude_patterns = ["_ext", "**/GALLERY_HEADER.*"]
nitpicky = False

# Markdown
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]  # the order of the gallery is a function

# API
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Gallery: each script is a page, a picture and a notebook
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "plot_gallery": True,
    "remove_config_comments": True,
    "matplotlib_animations": False,
    "image_scrapers": ("matplotlib",),
    "reset_modules": (),
}

# HTML
html_theme = "furo"
html_title = f"restora {release}"
html_static_path = ["_static"]
html_css_files = ["restora.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
templates_path: list[str] = []
