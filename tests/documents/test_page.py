"""Pages, pictures and LaTeX documents."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import assume, example, given, settings
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
    latex_of,
)
from chainrule.documents._lines import side_lines
from chainrule.documents._symbols import GREEK_LETTERS
from chainrule.formulas import parse
from chainrule.networks import propagation


def _body(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html[html.index("<body") : html.index("</html>")])


def _links(element: ElementTree.Element) -> list[str]:
    return [a.get("href", "")[1:] for a in element.iter("a") if a.get("href")]


@pytest.fixture(scope="module", params=["mish", "relu6", "softmax", "layer_norm"])
def html(request: pytest.FixtureRequest) -> str:
    return chainrule.activation(request.param).derivation().to_html()


def test_a_page_is_well_formed_self_contained_and_its_links_have_targets(html: str) -> None:
    body = _body(html)
    assert "<script" not in html
    assert not re.search(r"https?:", html)
    targets = [e.get("id") for e in body.iter() if e.get("id")]
    assert len(targets) == len(set(targets))
    assert set(_links(body)) <= set(targets)
    assert "#name:" not in html


def test_the_contents_list_every_section(html: str) -> None:
    body = _body(html)
    contents = body.find(".//nav")
    assert contents is not None
    sections = [e.get("id") for e in body.iter("details") if e.get("class") == "section"]
    assert _links(contents) == sections


def test_lines_of_source_lead_to_the_equations_that_they_compute_and_back(html: str) -> None:
    body = _body(html)
    lines = {e.get("id"): e for e in body.iter("span") if e.get("class") == "line"}
    equations = [
        *(e for e in body.iter("tr") if e.get("id")),
        *(e for e in body.iter("details") if e.get("class") == "step"),
    ]
    back = [(e.get("id"), line) for e in equations for line in _links(e) if line in lines]
    assert len(back) >= 4, back
    for equation, line in back:
        assert equation in _links(lines[line])


def test_each_step_unfolds_to_local_derivatives_and_a_value() -> None:
    body = _body(chainrule.activation("silu").derivation().to_html())
    steps = [e for e in body.iter("details") if e.get("class") == "step"]
    assert len(steps) == 6
    text = "".join(steps[-1].itertext())
    assert "local derivative" in text
    # σ(1) + σ'(1), by hand: 0.7310586 + 0.1966119
    assert "≈ 0.9277 at z = 1" in text


@pytest.mark.parametrize("source", ["log(z)", "1/z", "where(z > 500, z, 0)"])
def test_plots_of_half_axes_poles_and_far_kinks_stay_in_their_frame(source: str) -> None:
    body = _body(chainrule.activation(source).derivation().to_html())
    plot = next(e for e in body.iter("svg") if e.get("class") == "plot")
    curve = max((path.get("d", "") for path in plot.iter("path")), key=len)
    places = [float(number) for number in re.findall(r"-?\d+\.\d", curve)]
    assert len(places) > 200
    assert all(0 <= x <= 900 for x in places[::2])
    assert all(0 <= y <= 460 for y in places[1::2])


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40))
@example("</td><script>&amp;α_b")
def test_any_text_is_shown_and_never_markup(text: str) -> None:
    assume(not re.search(r"\de[+-]?\d", text))  # 1e5 is set as a power
    blocks = (
        Table((text,), ((text,),)),
        Listing(text, "source"),
        Figure(graph_picture((GraphNode(text, 0, ()),), text), text),
    )
    document = Document("title", (Section(text, (text,), blocks=blocks),))
    body = _body(document.to_html())
    assert _plain("".join(next(body.iter("td")).itertext())) == _plain(text)
    assert next(body.iter("title")).text == text
    assert len(list(body.iter("text"))) == 1
    assert document.to_latex(standalone=True).isascii()


def test_numbers_are_set_with_powers_of_ten() -> None:
    table = Table(("a",), (("2e-5",), ("1e5",), ("0e0",)))
    body = _body(Document("title", (Section("s", (), blocks=(table,)),)).to_html())
    shown = ["".join(cell.itertext()) for cell in body.iter("td")]
    assert shown == ["2·10−5", "105", "0·100"]
    assert len(list(body.iter("sup"))) == 3


def _plain(text: str) -> str:
    """Return a text without what tells typeset mathematics from typed."""
    for name, letter in GREEK_LETTERS.items():
        text = text.replace(name, letter)
    return re.sub(r"[_{}]", "", text.replace("−", "-"))


def test_sentences_and_cells_set_letters_signs_and_matrices_as_mathematics() -> None:
    """Letters are italic, Greek names letters, and articles, names and hyphens stay words."""
    said = "There is a form through a and z - 1 in pre-activation alpha, where ∂J/∂Z[2] > -2."
    document = Document("title", (Section("Empty", (said,), blocks=(Table((said,), ()),)),))
    shown = (
        "There is a form through <i>a</i> and <i>z</i> − 1 in pre-activation <i>α</i>, "
        "where ∂<i>J</i>/∂<b>Z</b><sup>[2]</sup> &gt; −2."
    )
    assert f"<p>{shown}</p>" in document.to_html()
    assert f"<th>{shown}</th>" in document.to_html()


def test_layers_stand_above_their_matrices_vectors_and_numbers_of_units() -> None:
    """Of ``b[l]`` and ``n[l]`` neither the letter nor the bracket is taken for a word's."""
    document = Document("title", (Section("Empty", ("W[1], b[l] and n[l].",)),))
    shown = "<b>W</b><sup>[1]</sup>, <b>b</b><sup>[l]</sup> and <i>n</i><sup>[l]</sup>."
    assert f"<p>{shown}</p>" in document.to_html()
    assert r"$\mathbf{b}^{[l]}$ and $n^{[l]}$." in document.to_latex()


def test_what_a_notebook_shows_has_its_own_colours_and_no_anchors() -> None:
    """Two cells with the same derivation do not answer to each other's links."""
    shown = chainrule.activation("relu")._repr_html_()
    body = ElementTree.fromstring(re.sub(r"<style>.*</style>", "", shown, flags=re.DOTALL))
    assert not [e for e in body.iter() if e.get("id") or e.get("href")]
    assert set(re.findall(r"^([^\s@}][^{]*){", shown, flags=re.MULTILINE)) == {
        rule for rule in re.findall(r"^([^\s@}][^{]*){", shown, flags=re.MULTILINE)
        if all(".chainrule" in part for part in rule.split(","))
    }  # fmt: skip


def test_boxes_of_a_graph_do_not_overlap_and_no_edge_runs_through_one() -> None:
    nodes = tuple(
        GraphNode(f"u{k} = a long operation {k}", k // 3, tuple(range(max(0, 3 * (k // 3)))))
        for k in range(12)
    )
    placed = graph_layout(nodes)
    boxes = placed.boxes
    for a, b in combinations(boxes, 2):
        assert (
            a.x + a.width < b.x
            or b.x + b.width < a.x
            or a.y + a.height < b.y
            or b.y + b.height < a.y
        )
    for node, box in zip(nodes, boxes, strict=True):
        assert all(boxes[k].x + boxes[k].width < box.x for k in node.arguments)
    for way in placed.ways.values():
        for x, y in way:
            assert not any(b.x <= x <= b.x + b.width and b.y < y < b.y + b.height for b in boxes)


def test_text_of_sentences_is_no_wider_than_asked() -> None:
    text = Document("T", (Section("S", ("word " * 60,)),)).to_text(50)
    assert max(map(len, text.splitlines())) <= 50


def _of_activation(source: str, **parameters: float) -> str:
    return chainrule.activation(source, **parameters).derivation().to_latex(standalone=True)


def _of_network() -> str:
    activations = ("0.5*z*(1 + erf(z/sqrt(2))) + max(0, z)*tanh(z)", "softmax")
    shown = propagation((64, 32, 10), activations, "categorical_cross_entropy", weighted=True)
    return shown.to_latex(standalone=True)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(
    "make",
    [
        *(partial(_of_activation, name) for name in ("hard_tanh", "gelu_tanh")),
        partial(_of_activation, "softmax_temperature"),
        partial(_of_activation, "s*log(1 + exp((z - upper_bound)/softness_of_the_edge))*tanh(z/s)",
                s=1.0, upper_bound=2.0, softness_of_the_edge=0.25),
        _of_network,
    ],
    ids=["hard_tanh", "gelu_tanh", "softmax_temperature", "long names", "network"],
)  # fmt: skip
def test_a_standalone_document_compiles(make: Callable[[], str], tmp_path: Path) -> None:
    """No line is wider than the paper."""
    source = make()
    (tmp_path / "a.tex").write_text(source, encoding="ascii")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"Overfull" not in done.stdout


_LONG = "alpha*z*tanh(log(1 + exp(beta*z + sin(z)))) - z**3/(1 + z**2 + exp(-z)) + where(z > 1, log(z), cos(z)*(1 - z)*exp(-z**2) + erf(z))"  # fmt: skip  # noqa: E501
_MEASURE = """<script>onload = () => {
  document.querySelectorAll("details").forEach(d => d.open = true);
  document.body.dataset.hidden = [...document.querySelectorAll(".equations, summary, .formula")]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent).join("; "); }
</script></body>"""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser here")
@pytest.mark.parametrize("width", [1280, 500])
@pytest.mark.parametrize("name", ["long", "softmax", "rms_norm"])
def test_no_equation_is_cut_by_the_edge_of_a_screen(name: str, width: int, tmp_path: Path) -> None:
    """On a projector and on a narrow screen long equations go on in the next line."""
    written = (_LONG, {"alpha": 0.5, "beta": 2.0}) if name == "long" else (name, {})
    derived = chainrule.activation(written[0], **written[1]).derivation().document
    shown = Document(derived.title, derived.sections, None, derived.formula).to_html()
    path = tmp_path / "page.html"
    path.write_text(shown.replace("</body>", _MEASURE), encoding="utf-8")
    ran = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--window-size={width},900", path.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    hidden = re.search(r'data-hidden="([^"]*)"', ran.stdout)
    assert hidden is not None
    assert not hidden[1]


def test_cases_within_cases_are_one_list_and_long_ones_stand_above_their_conditions() -> None:
    """Conditions are read in order, the second where the first does not hold."""
    nested = parse("where(z > 1, z, where(z > -1, z**3, -1))").expression
    rows = r"z & \text{if } z > 1, \\ z^{3} & \text{else if } z > -1, \\ -1 & \text{otherwise}"
    assert latex_of(nested) == rf"\begin{{cases}} {rows} \end{{cases}}"
    long = parse("where(z > 1, z + log(z), tanh(z) - 1)").expression
    (narrow,) = side_lines(long, 20)
    assert r"z + \log(z) \\ \quad \text{if } z > 1, \\" in narrow
