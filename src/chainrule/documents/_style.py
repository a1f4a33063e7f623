"""The style of pages and of what a notebook shows: one sheet, two colour schemes, and paper."""

from __future__ import annotations

_LIGHT = """--ink: #14181d; --paper: #ffffff; --soft: #55606c; --line: #d5dbe2; --panel: #f4f6f9;
  --accent: #0a58a8; --second: #a83f06; --third: #2f6b1a; --mark: #dcebfb;"""
_DARK = """--ink: #e8ebef; --paper: #13171c; --soft: #a7b1bc; --line: #39424d; --panel: #1d232b;
  --accent: #7bbcf7; --second: #f5ab6b; --third: #97d57c; --mark: #23405c;"""

# Everything lies below one class, so that a fragment leaves the notebook around it alone.
SHEET = f"""
.chainrule {{ color-scheme: light; {_LIGHT}
  background: var(--paper); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }}
@media screen and (prefers-color-scheme: dark) {{
  .chainrule {{ color-scheme: dark; {_DARK} }} }}
.chainrule a {{ color: var(--accent); }}
.chainrule header h1 {{ font-size: 1.9em; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }}
.chainrule header .formula {{ font-size: 1.35em; overflow: auto hidden; margin: 0.3em 0;
  padding: 0.4em 0; }}
.chainrule header {{ margin-bottom: 0.5em; }}
.chainrule sup {{ line-height: 0; font-size: 0.72em; }}
.chainrule header code {{ color: var(--soft); overflow-wrap: anywhere; }}
.chainrule h2 {{ display: inline; font-size: 1.25em; font-weight: 650; color: var(--accent);
  margin: 0; overflow-wrap: anywhere; }}
.chainrule details.section {{ border-top: 1px solid var(--line); padding: 0.7em 0; }}
.chainrule summary {{ cursor: pointer; }}
.chainrule details.section > summary {{ padding: 0.15em 0; }}
.chainrule p {{ margin: 0.6em 0; max-width: 44em; overflow-wrap: anywhere; }}
.chainrule sub {{ line-height: 0; font-size: 0.72em; padding-left: 0.1em; }}
.chainrule i {{ padding-right: 0.07em; }}
.chainrule i, .chainrule p b, .chainrule figcaption b, .chainrule td b {{ font-size: 1.12em;
  font-family: "Latin Modern Math", "STIX Two Text", Georgia, serif; }}
.chainrule .scroll {{ overflow: auto hidden; max-width: 100%; padding-bottom: 2px; }}
.chainrule table {{ border-collapse: collapse; border: 0; margin: 0; font-size: inherit; }}
.chainrule tr, .chainrule td, .chainrule th {{ background: none; border: 0; color: inherit; }}
.chainrule .equations td {{ padding: 0.3em 0.25em; vertical-align: middle; white-space: nowrap;
  text-align: left; }}
.chainrule .equations td:first-child {{ text-align: right; }}
.chainrule .equations td.side {{ white-space: normal; text-indent: -1.35em;
  padding-left: 1.6em; }}
.chainrule .equations td[colspan] {{ white-space: normal; }}
.chainrule .narrow {{ display: none; }}
.chainrule .remark {{ color: var(--soft); }}
.chainrule .links {{ font-size: 0.78em; }}
.chainrule .remark, .chainrule .links {{ padding-left: 1.2em; }}
.chainrule .links a {{ margin-right: 0.7em; text-decoration: none; }}
.chainrule .links span {{ color: var(--soft); }}
.chainrule .links .lines a {{ margin: 0; }}
.chainrule pre .within {{ color: var(--soft); user-select: none; font-style: italic; }}
.chainrule .links a:hover {{ text-decoration: underline; }}
.chainrule math {{ font-size: 1.15em; display: inline math; math-style: normal; }}
.chainrule mtd {{ text-align: left; }}
.chainrule details.step {{ border-left: 3px solid var(--line); margin: 0.2em 0 0.2em 0.3em;
  padding: 0 0 0 0.7em; }}
.chainrule details.step[open] {{ border-color: var(--accent); }}
.chainrule details.step > summary {{ overflow: auto hidden; padding: 0.25em 0; }}
.chainrule details.step > .equations {{ background: var(--panel); border-radius: 6px;
  padding: 0.3em 0.6em; margin: 0.2em 0 0.6em; }}
.chainrule tr:target, .chainrule .step:target, .chainrule .line:target {{
  background: var(--mark); }}
.chainrule pre {{ background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  color: inherit; padding: 0.8em 1em; overflow-x: auto; font-size: 0.82em; line-height: 1.5; }}
.chainrule pre .number {{ color: var(--soft); text-decoration: none; user-select: none; }}
.chainrule pre .comment {{ color: var(--third); }}
.chainrule figure {{ margin: 0.8em 0; }}
.chainrule figure svg {{ display: block; max-width: 100%; height: auto; }}
.chainrule .plot {{ overflow: visible; }}
.chainrule .plot path, .chainrule .plot circle {{ vector-effect: non-scaling-stroke; }}
@container (max-width: 46em) {{
  .chainrule header .formula {{ font-size: 1.15em; }}
  .chainrule .wide {{ display: none; }}
  .chainrule .narrow {{ display: inline; }} }}
@media (max-width: 36em) {{ .chainrule .plot text {{ font-size: 27px; }}
  .chainrule .plot tspan[font-size] {{ font-size: 0.7em; }} }}
.chainrule figure svg a:hover rect {{ stroke: var(--accent) !important; }}
.chainrule figcaption {{ color: var(--soft); font-size: 0.88em; margin-top: 0.4em;
  max-width: 48em; }}
.chainrule .data {{ font-variant-numeric: tabular-nums; margin: 0.6em 0; }}
.chainrule .data th, .chainrule .data td {{ text-align: left; vertical-align: top;
  padding: 0.3em 1.2em 0.3em 0; border-bottom: 1px solid var(--line); }}
.chainrule .data td {{ min-width: 4em; }}
.chainrule .data th {{ color: var(--soft); font-weight: 600; }}
.chainrule footer {{ color: var(--soft); font-size: 0.85em; border-top: 1px solid var(--line);
  padding-top: 0.8em; }}
""".strip()

# Notebooks and editors have a scheme of their own beside the system's.
NOTEBOOK_SHEET = f"""
.chainrule {{ padding: 0.6em 1em; border-radius: 6px; container-type: inline-size; }}
[data-jp-theme-light="true"] .chainrule, .vscode-light .chainrule {{
  color-scheme: light; {_LIGHT} }}
[data-jp-theme-light="false"] .chainrule, .vscode-dark .chainrule {{
  color-scheme: dark; {_DARK} }}
""".strip()

PAGE_SHEET = """
html { scroll-padding-top: 1rem; }
body.chainrule { margin: 0; font-size: clamp(16px, 0.62rem + 0.62vw, 26px); }
.page { max-width: 84em; margin: 0 auto; padding: 1.6em 1.2em 4em; }
main { min-width: 0; }
main, .page > header { container-type: inline-size; }
nav ol { margin: 0.4em 0; padding-left: 2.1em; }
nav li { margin: 0.25em 0; overflow-wrap: anywhere; }
nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
nav summary { color: var(--soft); font-weight: 600; padding: 0.6em 0; }
@media (min-width: 72em) {
  .page { display: grid; grid-template-columns: 15em minmax(0, 1fr); column-gap: 2.5em; }
  .page > header, .page > footer { grid-column: 1 / -1; }
  nav { position: sticky; top: 1em; align-self: start; max-height: calc(100vh - 2em);
    overflow-y: auto; font-size: 0.82em; } }
@media (max-width: 30em) {
  .page { padding: 1em 0.8em 3em; }
  .chainrule .data td, .chainrule .data th { padding-right: 0.7em; } }
@media print {
  nav { display: none; } .page { display: block; max-width: none; padding: 0; }
  body.chainrule { font-size: 10.5pt; }
  details::details-content { content-visibility: visible; height: auto; }
  details.section { break-inside: auto; } tr, figure, details.step { break-inside: avoid; }
  .chainrule .scroll, .chainrule pre { overflow: visible; }
  .chainrule pre { white-space: pre-wrap; }
  summary { break-after: avoid; }
  figure svg { width: 100% !important; } }
""".strip()
