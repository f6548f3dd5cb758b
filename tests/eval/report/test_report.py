"""The report: what it shows, that it asks nobody for anything, and that a browser draws and sorts it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.command.cli import main
from eval.compare.comparison import Comparison, parse_solvers
from eval.compare.comparison import run as compare
from eval.compare.looks import CATALOGUE, PALETTE, looks
from eval.experiments.genainet_power.experiment import PowerGames
from eval.experiments.knowledge_energy.experiment import KnowledgeEnergy
from eval.experiments.knowledge_transfer.experiment import KnowledgeTransfer
from eval.experiments.protocol import run as run_experiment
from eval.experiments.secure.experiment import EnergyTables
from eval.experiments.secure.printed import EXHIBITS
from eval.experiments.votes.experiment import Votes
from eval.report import write_report
from eval.report.data import documents
from eval.report.data.received import Received
from eval.report.data.recompute import decisions
from eval.report.data.results import gather
from eval.report.page import environment
from eval.report.page import page as page_of
from eval.report.sections.chart import decades
from eval.report.sections.markdown import paragraphs
from eval.report.sections.parts import Cell, Section, Table
from eval.sweep import cell_files
from eval.sweep.cell_files import FORMAT
from secagent_env import Scenario
from training.learn.run_folder import FORMAT as TRAINING
from training.learn.run_folder import RunFolder

SMALL = Scenario.preset("small")
SCHEMES = ("exact", "asc", "law", "randas")
HOSTILE = "</script><img src=x onerror=alert(1)>&'\""


class Page(HTMLParser):
    """What a page loads, and its elements, tables and texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._in_cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            getattr(self, f"{tag}s").append("")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            getattr(self, f"{self.cdata_elem}s")[-1] += data
            return
        self.texts.append(data)
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def ids(self) -> set[str]:
        return {attributes["id"] or "" for _, attributes in self.tags if "id" in attributes}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a comparison, an experiment of the paper, and two trainings beside it."""
    folder = tmp_path_factory.mktemp("report") / "results"
    compare(Comparison(SMALL, parse_solvers(SCHEMES), instances=4), folder, workers=1, progress=False)
    run_experiment(EnergyTables(("table3",), instances=1, agents=()), folder / "reproduce", workers=1, progress=False)
    for seed, gap in enumerate((0.02, 0.04)):
        training(folder.parent / "runs" / f"ppo-s{seed}", seed=seed, gap=gap)
    return folder


@pytest.fixture(scope="module")
def report(results: Path) -> Path:
    return write_report(results, results.parent / "report.html", [results.parent / "runs"])


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


def training(path: Path, *, seed: int = 0, gap: float = 0.1, command: str = "secagent train ppo") -> None:
    """Write the folder of a training that has been evaluated twice."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    config = {"format": TRAINING, "version": 1, "algo": "ppo", "environment": "secagent/Allocation-v0", "seed": seed}
    folder.write_config({**config, "scenario": SMALL.to_dict(), "hyperparameters": {}, "command": command})
    for steps, factor in ((0, 10.0), (1000, 1.0)):
        folder.append_evaluation({"steps": steps, "feasible": 0.5, "gap": gap * factor, "score": -gap})


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    assert main(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("secagent: error: ").strip()


# --- the page ------------------------------------------------------------------------------------------------


def test_it_has_every_section_and_each_begins_with_a_sentence(page: Page):
    names = ("paper", "compare", "convergence", "learning", "networks", "configuration")
    assert [a["id"] for tag, a in page.tags if tag == "section" and "id" in a] == list(names)
    links = {a["href"] for tag, a in page.tags if tag == "a"}
    assert {f"#{name}" for name in names} <= links
    assert sum(a.get("class") == "lead" for tag, a in page.tags if tag == "p") == len(names) + 1


def test_it_loads_nothing(page: Page, report: Path):
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "data", "poster", "action", "background"):
            assert name not in attributes, (tag, attributes)
        if "href" in attributes:
            assert re.match(r"#|figures/|data:,$", attributes["href"] or ""), attributes
    assert not any("url(" in style or "@import" in style for style in page.styles)
    [policy] = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert policy == "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    assert len(page.scripts) == 3
    assert sum("plotly.js v" in script[:200] for script in page.scripts) == 1
    assert report.stat().st_size < 6e6


def test_every_chart_has_a_place_and_colours_that_the_style_knows(page: Page):
    figures = json.loads(page.scripts[1])
    places = {a["id"] for _, a in page.tags if a.get("class") == "chart"}
    assert set(figures) == places
    assert {"paper-table3", "compare-0-energy_j", "convergence-energy", "learn-0-gap"} <= places
    used = set(re.findall(r"var\((--[\w-]+)\)", page.scripts[1]))
    light = page.styles[0][: page.styles[0].index("@media")]
    assert used
    assert all(f"{name}:" in light for name in used)


def test_its_figures_are_those_of_the_comparison(page: Page, results: Path):
    told = (results / "table.md").read_text(encoding="utf-8")
    [energies] = [rows for rows in page.tables if rows[0][1].startswith("feasible") and "energy" in rows[0][2]]
    shown = {row[0]: row for row in energies[1:]}
    assert list(shown) == ["exact", "asc", "law (no LLM)", "randas"]
    for name, row in shown.items():
        [line] = [line for line in told.splitlines() if line.startswith(f"| {name} ")][:1]
        cells = [cell.strip() for cell in line.split("|")]
        assert row[1] == cells[2]
        assert row[2] == cells[3]
    assert shown["asc"][3] == "–"
    assert float(shown["randas"][3].split()[0]) > 1


def test_the_papers_numbers_stand_beside_ours(page: Page):
    [rows] = [rows for rows in page.tables if rows[0][1].startswith("Accmin")]
    by_scheme = {(row[0], row[1]): row for row in rows[1:]}
    assert by_scheme["randas", "0.8"][2] == "27520 J"
    assert by_scheme["exact", "0.8"][2] == "–"
    assert by_scheme["asc", "0.7"][3].endswith("kJ")
    figures = json.loads(page.scripts[1])["paper-table3"]["data"]
    theirs = [trace for trace in figures if trace["name"] == "asc" and trace["mode"] == "markers"]
    assert [trace["y"] for trace in theirs] == [[10423.0, 11868.0, 12966.0]]
    assert all(symbol.endswith("-open") for symbol in (trace["marker"]["symbol"] for trace in theirs))
    assert "Nothing can be said: it takes at least 10 draws" in page.text


def test_learning_curves_are_means_over_the_seeds(page: Page):
    traces = json.loads(page.scripts[1])["learn-0-gap"]["data"]
    [mean] = [trace for trace in traces if trace.get("name") == "ppo (2)"]
    assert mean["x"] == [0, 1000]
    np.testing.assert_allclose(mean["y"], [30.0, 3.0])


def test_configuration_says_the_command_the_scenario_and_versions(page: Page, results: Path):
    command = (
        "secagent compare --set num_agents=6 num_antennas=4 --solvers exact asc law randas "
        f"--instances 4 --seed 0 --out {results}"
    )
    assert command.replace(" min_selected=2", "") in page.text.replace(" min_selected=2", "")
    assert "secagent reproduce table3" in page.text
    [scenario] = [rows for rows in page.tables if rows[0][0].startswith("field")]
    assert ["num_agents", "6", "30"] in scenario
    assert ["tool_tokens", "128 to 512", "128 to 512"] in scenario
    assert re.search(r"libraries numpy [\d.]+, scipy [\d.]+", page.text)


def test_pictures_show_the_decisions_behind_the_rows(results: Path, page: Page):
    [compared] = gather(results).comparisons
    solved = decisions(compared, Received(results), instances=2)
    rows = compared.frame.set_index(["solver", "instance"])
    assert {one.scheme for one in solved} == {"asc", "law (no LLM)", "randas"}
    for one in solved:
        energy = rows.loc[(one.scheme, one.index), "energy_j"]
        if one.solution.outcome.feasible:
            assert float(one.solution.outcome.energy_j) == energy
    pictures = [a["aria-label"] or "" for tag, a in page.tags if tag == "svg" and a.get("class") == "network"]
    assert len(pictures) == 9
    assert re.match(r"asc on network 0: feasible · [\d.]+ kJ · .* computing, \d+ jamming, \d+ silent", pictures[0])


def test_figures_for_papers_are_pdf_files(report: Path, page: Page):
    files = {path.name for path in (report.parent / "figures").iterdir()}
    assert {
        "comparison-1.pdf",
        "table3.pdf",
        "convergence-asc.pdf",
        "learning-curves.pdf",
        "network-0-asc.pdf",
    } <= files
    assert all((report.parent / "figures" / name).read_bytes().startswith(b"%PDF-") for name in files)
    assert {f"figures/{name}" for name in files} == {
        a["href"] for t, a in page.tags if t == "a" and "#" not in a["href"]
    }


def test_what_is_not_there_is_named_with_the_command_that_adds_it(tmp_path: Path):
    training(tmp_path / "runs" / "one")
    (tmp_path / "empty").mkdir()
    page = Page(write_report(tmp_path / "empty", runs=[tmp_path / "runs" / "one"]).read_text(encoding="utf-8"))
    sections = [a["id"] for tag, a in page.tags if tag == "section" and "id" in a]
    assert sections == ["learning", "configuration", "more"]
    assert f"secagent reproduce all --out {tmp_path / 'empty' / 'reproduce'} adds the paper's figures" in page.text
    assert "--runs" not in page.text


def test_what_comes_from_data_is_text_and_nothing_else(tmp_path: Path):
    run = tmp_path / HOSTILE.replace("/", "")
    training(run, command=HOSTILE)
    out = tmp_path / "page.html"
    (tmp_path / "empty").mkdir()
    page = Page(write_report(tmp_path / "empty", out, [run]).read_text(encoding="utf-8"))
    assert len(page.scripts) == 3
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in page.tags)
    [row] = [row for rows in page.tables for row in rows if "ppo" in row]
    assert row[-1] == HOSTILE


def test_a_comparison_is_of_the_networks_that_all_schemes_were_tried_on(tmp_path: Path):
    compare(Comparison(SMALL, parse_solvers(("exact", "randas")), instances=3), tmp_path, workers=1, progress=False)
    compare(Comparison(SMALL, parse_solvers(("ga",)), instances=1), tmp_path, workers=1, progress=False)
    compare(Comparison(SMALL.replace(num_agents=7), parse_solvers(("exact",)), 2), tmp_path, workers=1, progress=False)
    latest, first = gather(tmp_path).comparisons
    assert latest.description == (
        "2 networks of the paper's scenario with num_agents = 7, num_antennas = 4, min_selected = 2, seed 0"
    )
    assert (first.instances, set(first.solvers), first.left_out) == (3, {"exact", "randas"}, ("ga",))


def test_comparisons_in_which_nobody_is_feasible_or_channels_are_estimated(tmp_path: Path):
    hopeless = SMALL.replace(latency_limit_s=1.0)
    compare(Comparison(hopeless, parse_solvers(("exact", "randas")), 2), tmp_path, workers=1, progress=False)
    compare(Comparison(SMALL, parse_solvers(("asc",)), 2, csi_error=0.1), tmp_path, workers=1, progress=False)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "exact has no feasible decision for 2 of 2 networks; the first: infeasible" in page.text
    assert "channels known with error variance 0.1" in page.text
    figures = json.loads(page.scripts[1])
    assert figures["compare-1-energy_j"]["layout"]["annotations"][0]["text"] == "nothing to compare"


# --- its parts -----------------------------------------------------------------------------------------------


@given(st.sets(st.sampled_from(sorted(CATALOGUE)), min_size=1))
def test_a_scheme_looks_the_same_in_any_company(names: set[str]):
    shown = looks(names)
    assert all(shown[name] == looks([name])[name] for name in names)
    assert list(shown) == [name for name in CATALOGUE if name in names]


def test_variants_of_a_scheme_differ_in_dash_and_the_plain_one_is_solid():
    shown = looks(["ppo-mlp", "asc(draws=9)", "ppo", "asc"])
    assert list(shown) == ["asc", "asc(draws=9)", "ppo", "ppo-mlp"]
    assert shown["asc"].colour == shown["asc(draws=9)"].colour
    assert (shown["ppo"].dash, shown["ppo-mlp"].dash) == ("solid", "dash")


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", PALETTE)
def test_colours_stand_out_on_their_ground(name: str):
    light, dark = PALETTE[name]
    assert contrast(light, "#ffffff") >= 3  # WCAG 2.1, success criterion 1.4.11
    assert contrast(dark, "#14171b") >= 3


@given(st.recursive(st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists))
def test_json_cannot_end_its_script(content: object):
    template = environment().from_string('<script type="application/json">{{ content|tojson }}</script>')
    [script] = Page(template.render(content=[content, HOSTILE])).scripts
    assert json.loads(script) == [content, HOSTILE]


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        environment().from_string("{{ content|tojson }}").render(content=float("nan"))


def test_what_is_filled_in_is_escaped_once_and_not_a_template():
    text = f"{{{{ lead }}}} {{% raw %}} \\1 &amp; {HOSTILE}"
    shown = Page(
        page_of(text, text, text, [Section("more", text, text, {"missing": {text: text}})], [(text, text, "x")])
    )
    assert len(shown.scripts) == 3
    assert not any(tag == "img" for tag, _ in shown.tags)
    assert shown.texts.count(text) == 10  # title, brand, contents, heading, lead, card (2), section (2), command
    assert f" adds {text}." in shown.texts


def test_a_template_without_its_values_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'missing' was not provided"):
        page_of("", "", "", [Section("more", "", "", {})], [])


@given(st.text(st.characters(exclude_characters="`*\n\r_", exclude_categories=("C", "Z")), min_size=1))
def test_prose_keeps_its_words(text: str):
    assert Page(paragraphs(text)).text == text


def test_prose_knows_lists_bold_words_code_and_subscripts():
    assert paragraphs("**Why.** at N_min\n\n- `asc` < 2\n- b") == (
        "<p><strong>Why.</strong> at N<sub>min</sub></p><ul><li><code>asc</code> &lt; 2</li><li>b</li></ul>"
    )


def test_a_table_sorts_numbers_as_numbers_and_knows_what_is_missing():
    sortable = environment().get_template("parts.html").module.sortable
    html = sortable(Table("t", [{"n": Cell("1 kJ", 1000.0)}, {"n": Cell("–", float("nan"))}]))
    assert 'data-key="1000.0"' in html
    assert 'data-key=""' in html
    assert 'aria-sort="none"' in html
    assert sortable(Table("t", [])) == ""


def test_ticks_are_powers_of_ten_where_there_are_many():
    assert decades([1e-8, None, 1e3]) == {"dtick": 2}
    assert decades([1.0, 20.0]) == {}
    assert decades([]) == {}


# --- faults --------------------------------------------------------------------------------------------------


def test_no_results(capsys: pytest.CaptureFixture, tmp_path: Path):
    assert refused(capsys, str(tmp_path / "no")) == f"{tmp_path / 'no'}: No such file or directory"
    message = refused(capsys, str(tmp_path))
    assert message == f"{tmp_path} holds no results; make some with: secagent compare --out {tmp_path}"
    (tmp_path / "rows.jsonl").write_text("{}\n")
    assert "holds results of an earlier version of secagent (rows.jsonl)" in refused(capsys, str(tmp_path))
    message = refused(capsys, str(tmp_path), "--runs", str(tmp_path))
    assert message == f"{tmp_path} holds no training: there is no config.json in it, nor in the folders in it"


def test_a_place_that_cannot_be_written(
    capsys: pytest.CaptureFixture, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert refused(capsys, str(results), "--out", str(tmp_path)) == f"{tmp_path}: Is a directory"
    missing = tmp_path / "no" / "report.html"
    assert refused(capsys, str(results), "--out", str(missing)) == f"{missing.parent}: No such file or directory"
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o555)
        message = refused(capsys, str(results), "--out", str(tmp_path / "locked" / "report.html"))
        assert message == f"{tmp_path / 'locked'}: Permission denied"
    else:  # root may write anywhere but in such a place
        assert refused(capsys, str(results), "--out", "/proc/self/report.html").startswith("/proc/self: ")


def test_results_of_another_version(capsys: pytest.CaptureFixture, results: Path, tmp_path: Path):
    shutil.copytree(results / "cells", tmp_path / "cells")
    [path] = (tmp_path / "cells").glob("*.parquet")
    cells = pq.read_table(path)
    pq.write_table(cells.replace_schema_metadata({FORMAT: b"9"}), path)
    assert "has format version 9, this secagent reads 1" in refused(capsys, str(tmp_path))
    options = [json.dumps({"scenario": {"num_robots": 3}, "max_seconds": None, "csi_error": 0.0})] * len(cells)
    at = cells.column_names.index("options")
    path.write_bytes(cell_files.pack(cells.set_column(at, "options", [options])))
    message = refused(capsys, str(tmp_path))
    assert message.startswith(f"{tmp_path / 'cells'} holds comparisons of another version of secagent (0.")
    assert "num_robots" in message


def test_an_experiment_of_another_version(capsys: pytest.CaptureFixture, tmp_path: Path):
    (tmp_path / "fig4.csv").write_text("num_agents,scheme\n30,asc\n")
    message = refused(capsys, str(tmp_path))
    assert message == (
        f"{tmp_path / 'fig4.csv'} is of another version of secagent (it has no column printed_j); "
        f"write it anew with: secagent reproduce fig4 --out {tmp_path}"
    )
    (tmp_path / "fig4.csv").write_text("")
    assert "fig4.csv is broken" in refused(capsys, str(tmp_path))


def test_an_experiment_in_which_nobody_is_feasible_is_shown(tmp_path: Path):
    experiment = EXHIBITS["fig5"]
    columns = ["printed_j", "mean_j", "saving", "saving_printed"]
    columns += [f"{name}_{end}" for name in ("mean_j", "saving") for end in ("low", "high")]
    nothing = {**dict.fromkeys(columns, np.nan), "draws": 0, "feasible": 0, "attempts": 2}
    rows = [{"num_agents": value, "scheme": "asc", **nothing} for value in experiment.values]
    pd.DataFrame(rows).to_csv(tmp_path / "fig5.csv", index=False)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "Never feasible, so not drawn: asc." in page.text
    [shown] = [table for table in page.tables if table[0][0].startswith("scheme")]
    assert shown[1] == ["asc", "20", "–", "–", "–", "0/2", "–", "–"]


# --- in a browser --------------------------------------------------------------------------------------------

CHROMIUM, DRIVER = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
DRAWN = "return document.documentElement.dataset.drawn === 'true'"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium without a window, that has no network to speak of."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")  # it looks for no servers of its own
    for argument in (
        "headless=new",
        "no-sandbox",
        "no-first-run",
        "window-size=1280,900",
        *map("disable-{}".format, quiet),
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def opened(browser, report: Path, *, width: int = 1280, dark: bool = False) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get_log("performance")
    browser.get(report.as_uri())
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(DRAWN))


def requests(browser) -> set[str]:
    """Return the addresses that the page asked for since it was opened."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {url for url in sent if not url.startswith("data:")}


def test_a_browser_draws_it_without_errors_or_requests(browser, report: Path, page: Page):
    opened(browser, report)
    assert browser.get_log("browser") == []
    assert requests(browser) == {report.as_uri()}
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    figures = json.loads(page.scripts[1])
    for name, figure in figures.items():
        drawn = f"#{name} .main-svg .scatterlayer .trace"
        assert browser.execute_script(f"return document.querySelectorAll('{drawn}').length") > 0, name
        assert len(figure["data"]) > 0
    filled = browser.execute_script(
        "return getComputedStyle(document.querySelector('#convergence-energy .legend .legendpoints path')).fill"
    )
    assert filled == "rgb(0, 114, 178)"  # ASC's blue


def test_a_click_on_a_heading_sorts(browser, report: Path):
    opened(browser, report)
    table, efforts = browser.find_elements("css selector", "#compare table")
    headings = table.find_elements("css selector", "thead button")
    names = [heading.text.partition("\n")[0] for heading in headings]

    def column(name: str) -> tuple[str, list[str]]:
        """Return how a column says that it is sorted, and what its cells sort by."""
        script = (
            "const [t, i] = arguments; return [t.tHead.rows[0].cells[i].getAttribute('aria-sort'),"
            "[...t.tBodies[0].rows].map(r => r.cells[i].dataset.key ?? r.cells[i].textContent)]"
        )
        return browser.execute_script(script, table, names.index(name))

    def ordered(keys: list[str]) -> list[float]:
        return sorted(float(key) for key in keys)

    energy, ratio, scheme = (headings[names.index(name)] for name in ("energy", "energy / asc's", "scheme"))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", table)
    assert column("energy")[0] == "none"
    energy.click()
    order, keys = column("energy")
    assert (order, [float(key) for key in keys]) == ("ascending", ordered(keys))
    energy.send_keys("\n")  # the keyboard does it too
    order, keys = column("energy")
    assert (order, [float(key) for key in keys]) == ("descending", ordered(keys)[::-1])
    for direction in ("ascending", "descending"):
        ratio.click()
        order, keys = column("energy / asc's")
        assert (order, keys[-1]) == (direction, "")  # ASC has no ratio to itself
    scheme.click()
    assert column("scheme") == ["ascending", ["asc", "exact", "law (no LLM)", "randas"]]
    assert column("energy")[0] == "none"
    [evaluations] = [b for b in efforts.find_elements("css selector", "button") if b.text.startswith("evaluations")]
    evaluations.click()  # from tens to thousands: text would sort otherwise
    keys = browser.execute_script("return [...arguments[0].tBodies[0].rows].map(r => r.cells[2].dataset.key)", efforts)
    assert [float(key) for key in keys] == ordered(keys)
    assert sorted(keys) != keys
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_the_systems_colours_and_the_button(browser, report: Path, dark: bool):
    from selenium.webdriver.support.ui import WebDriverWait

    opened(browser, report, dark=dark)
    grounds = {False: "rgb(255, 255, 255)", True: "rgb(20, 23, 27)"}
    blues = {False: "rgb(0, 114, 178)", True: "rgb(79, 168, 224)"}
    ground = "return getComputedStyle(document.body).backgroundColor"
    mark = "return getComputedStyle(document.querySelector('#convergence-energy .legend .legendpoints path')).fill"
    assert browser.execute_script(ground) == grounds[dark]
    assert browser.execute_script(mark) == blues[dark]
    button = browser.find_element("id", "theme")
    assert button.text == ("Light" if dark else "Dark")
    button.click()
    assert browser.execute_script(ground) == grounds[not dark]
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(mark) == blues[not dark])
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [360, 390, 820])
def test_a_narrow_screen_scrolls_one_way_only(browser, report: Path, width: int):
    opened(browser, report, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    pictures = "[...document.querySelectorAll('.main-svg, .network')]"
    right = f"return Math.max(...{pictures}.map(picture => picture.getBoundingClientRect().right))"
    assert 0 < browser.execute_script(right) <= width


# --- experiments that come as texts -------------------------------------------------------------------------------


def test_texts_with_tables_and_pictures_are_shown(tmp_path):
    rows = "| who | printed | printed |\n|---|---|---|\n| asc | 85% | `x` |\n"
    text = f"## Table V\n\nA **bold** claim, {HOSTILE}.\n\n{rows}"
    (tmp_path / "table5.md").write_text(text)
    (tmp_path / "table5.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    path = write_report(tmp_path)
    page = Page(path.read_text())
    assert ["asc", "85%", "x"] in page.tables[0]
    assert page.tables[0][0] == ["who", "printed", "printed"]
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert sources == ["data:image/png;base64,iVBORw0KGgo="]
    assert "<strong>bold</strong>" in path.read_text()


def test_a_text_that_is_none_is_told(tmp_path):
    (tmp_path / "knowledge-energy.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"knowledge-energy\.md is not UTF-8"):
        write_report(tmp_path)


# --- What it needs ----------------------------------------------------------------------------------------------


def test_the_documents_are_those_of_the_experiments():
    experiments = {PowerGames, KnowledgeEnergy, KnowledgeTransfer, Votes}
    assert set(documents.FILES) == {f"{experiment.name}.md" for experiment in experiments}


def test_a_report_needs_no_extra_but_its_own(tmp_path: Path):
    compare(Comparison(solvers={"law": {"rounds": 1, "iterations": 1}}, scenario=SMALL, instances=1), tmp_path)
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pydantic", "openai", "cvxpy", "clarabel", "pymoo", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from eval.command.cli import main
sys.exit(main(["report", sys.argv[1]]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "law (no LLM)" in (tmp_path / "report.html").read_text(encoding="utf-8")
