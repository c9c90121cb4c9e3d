# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What mkdocs does beyond the pages in docs/: `make docs` and mkdocs.yml name this file.

The README is the site's first page, the packages' READMEs and what lies at the top of the
repository are pages too, and the references are made anew at each build (`tools/reference.py`).
Links between documents are those of the repository; here they are turned into those of the site.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))
from documents import ROOT, documents, links

_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_REFERENCES = ("interfaces", "parameters", "commands")


def site_path(document: Path) -> str:
    """Return where a Markdown file of the repository is in the site."""
    path = document.relative_to(ROOT)
    if path.parts[0] == "docs":
        return path.relative_to("docs").as_posix()
    if path == Path("README.md"):
        return "index.md"
    if path.name == "README.md":
        return f"packages/{path.parent.name}.md"
    return f"project/{path.name.lower()}"


def on_config(config: Any) -> Any:
    """Give a page of docs/ that the navigation does not name a place at its end."""
    named = re.findall(r"[\w/]+\.md", str(config.nav))
    others = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in named)
    if others:
        config.nav.append({"Further": others})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/, and the files that pages link to."""
    for name in _REFERENCES:
        files.append(File.generated(config, f"reference/{name}.md", content=_reference(name)))
    for document in documents():
        if document.relative_to(ROOT).parts[0] in (".github",):
            continue
        if document.relative_to(ROOT).parts[0] != "docs":
            text = _for_site(document, document.read_text(encoding="utf-8"))
            files.append(File.generated(config, site_path(document), content=text))
        for target in _linked_files(document):
            name = f"files/{target.relative_to(ROOT).as_posix()}"
            if files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a page in docs/ into those of the site."""
    source = Path(config.docs_dir) / page.file.src_uri
    return _for_site(source, markdown) if source.is_file() else markdown


def _reference(name: str) -> str:
    # In a process of its own: constructing nodes is nothing for the process of mkdocs.
    made = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference.py"), name],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise PluginError(f"tools/reference.py {name} failed:\n{made.stderr}")
    return made.stdout


def _linked_files(document: Path) -> list[Path]:
    found = []
    for link in links(document):
        target = _resolved(document, link.target.partition("#")[0])
        inside_docs = target is not None and (ROOT / "docs") in target.parents
        if target and target.is_file() and target.suffix != ".md" and not inside_docs:
            found.append(target)
    return found


def _resolved(document: Path, target: str) -> Path | None:
    path = (document.parent / target).resolve()
    return path if target and path.exists() and ROOT in path.parents else None


def _for_site(document: Path, text: str) -> str:
    here = posixpath.dirname(site_path(document))

    def replaced(found: re.Match[str]) -> str:
        target = _resolved(document, found[2])
        if target is None:
            return found[0]
        if target.is_dir():
            if not (target / "README.md").is_file():
                return "](" + posixpath.relpath("reference/interfaces.md", here or ".") + ")"
            target = target / "README.md"
        if target.suffix == ".md":
            name = site_path(target)
        elif (ROOT / "docs") in target.parents:
            name = target.relative_to(ROOT / "docs").as_posix()
        else:
            name = f"files/{target.relative_to(ROOT).as_posix()}"
        return found[1] + posixpath.relpath(name, here or ".") + found[3]

    parts = re.split(r"(^```.*?^```)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if odd % 2 else _LINK.sub(replaced, part) for odd, part in enumerate(parts)
    )
