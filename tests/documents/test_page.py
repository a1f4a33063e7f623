"""Pages, pictures and LaTeX documents."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule.documents import (
    Document,
    Figure,
    GraphNode,
    Listing,
    Section,
    Table,
    graph_layout,
    graph_picture,
)


def _main(html: str) -> ElementTree.Element:
    start, end = html.index("<main>"), html.index("</main>") + len("</main>")
    return ElementTree.fromstring(html[start:end])


@pytest.mark.parametrize("name", ["mish", "relu6", "softmax"])
def test_a_page_is_well_formed_self_contained_and_its_links_have_targets(name: str) -> None:
    html = chainrule.activation(name).derivation().to_html()
    main = _main(html)
    assert "<script" not in html
    assert not re.search(r"https?:", html)
    targets = [e.get("id") for e in main.iter() if e.get("id")]
    links = [e.get("href", "")[1:] for e in main.iter("a")]
    assert len(targets) == len(set(targets))
    assert set(links) <= set(targets)
    assert len(list(main.iter("svg"))) == 2


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40))
def test_any_text_is_shown_and_never_markup(text: str) -> None:
    blocks = (
        Table((text,), ((text,),)),
        Listing(text, "source"),
        Figure(graph_picture((GraphNode(text, 0, ()),), text), text),
    )
    document = Document("title", (Section(text, (text,), blocks=blocks),))
    main = _main(document.to_html())
    assert next(main.iter("td")).text == text
    assert next(main.iter("text")).text == text
    assert document.to_latex(standalone=True).isascii()


def test_boxes_of_a_graph_do_not_overlap_and_follow_their_arguments() -> None:
    nodes = tuple(
        GraphNode(f"u{k} = a long operation {k}", k // 3, tuple(range(max(0, 3 * (k // 3)))))
        for k in range(12)
    )
    boxes = graph_layout(nodes)
    for a, b in combinations(boxes, 2):
        assert (
            a.x + a.width < b.x
            or b.x + b.width < a.x
            or a.y + a.height < b.y
            or b.y + b.height < a.y
        )
    for node, box in zip(nodes, boxes, strict=True):
        assert all(boxes[k].x + boxes[k].width < box.x for k in node.arguments)


def test_text_of_sentences_is_no_wider_than_asked() -> None:
    text = Document("T", (Section("S", ("word " * 60,)),)).to_text(50)
    assert max(map(len, text.splitlines())) <= 50


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", ["hard_tanh", "mish", "softmax"])
def test_a_standalone_document_compiles(name: str, tmp_path: Path) -> None:
    source = chainrule.activation(name).derivation().to_latex(standalone=True)
    (tmp_path / "a.tex").write_text(source, encoding="ascii")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
