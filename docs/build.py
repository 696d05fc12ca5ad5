"""Build the documentation: ``python docs/build.py [--out FOLDER] [PAGE ...]``.

Every ```python block of a page runs, in order and in one namespace a page; what it prints stands below it,
and a `Released` object at its end is drawn. An error, a warning or a link that leads nowhere fails the build.
The pages stand alone: they open from a folder, need no network and no script.
"""

import argparse
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import pages  # noqa: E402
import running  # noqa: E402

DOCS = ROOT / "docs"
# Heading of the navigation -> pages, in order; a pattern stands for all that match it and were not named yet.
PLACES = {
    "Start": ("index.md", "guide.md", "r-and-lifelines.md"),
    "Worked examples": ("examples/own*.md", "examples/who*.md", "examples/exits*.md", "examples/beyond*.md",
                        "examples/*.md"),
    "Method cards": ("methods/nonparametric.md", "methods/cox.md", "methods/cox*.md", "methods/comp*.md",
                     "methods/states*.md", "methods/weekly*.md", "methods/parametric.md",
                     "methods/splines.md", "methods/*.md"),
    "Evidence": ("benchmarks/*.md", "studies/*.md", "panel/*.md"),
    "Decisions": ("decisions/*.md",),
}


def main(arguments=None):
    options = _options(arguments)
    site = gather(DOCS, {"benchmarks": ROOT / "benchmarks" / "results"})
    wanted = [page for page in site.pages if not options.pages or page.name in options.pages]
    broken = build(site, wanted, options.out)
    for line in broken:
        print(line, file=sys.stderr)
    print(f"{len(wanted)} pages in {options.out}: open {options.out / 'index.html'}")
    return 1 if broken else 0


def _options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="names of pages, such as methods/cox.md; default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "docs")
    return parser.parse_args(arguments)


def gather(folder, more=None, places=None):
    """Return the site: its pages in the order of the navigation.

    Parameters
    ----------
    folder : Path
    more : mapping of str to Path
        Folders that lie elsewhere, by the name that they have in the site.
    places : mapping, optional
        As `PLACES`.
    """
    found = {}
    for heading, patterns in (places or PLACES).items():
        for pattern in patterns:
            for file, name in _matching(folder, pattern, more or {}):
                found.setdefault(name, pages.read(heading, file, name))
    return SimpleNamespace(pages=list(found.values()))


def _matching(folder, pattern, more):
    first, _, rest = pattern.partition("/")
    base, inside = (more[first], rest) if first in more else (folder, pattern)
    prefix = f"{first}/" if first in more else ""
    return [(file, prefix + file.relative_to(base).as_posix()) for file in sorted(base.glob(inside))]


def build(site, wanted, out):
    """Write the wanted pages of a site and return what is wrong, a line each.

    A page whose block fails is not written.
    """
    out.mkdir(parents=True, exist_ok=True)
    broken = pages.broken_links(site)
    for page in wanted:
        try:
            shown = running.run(page)
        except running.BlockError as failed:
            broken.append(f"{page.name}, {failed}")
            continue
        target = out / page.target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(pages.html(page, shown, site, out), encoding="utf-8")
        for file, name in page.files():
            (target.parent / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target.parent / name)
    return broken


if __name__ == "__main__":
    sys.exit(main())
