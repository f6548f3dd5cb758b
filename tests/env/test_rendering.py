"""Pictures, text panels and the window: what they say, and that no input breaks them."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.rendering import Window, ansi, figure, rgb_array
from secagent_env.rendering.view import View
from secagent_env.support.units import decibel, quantity, spans


def network(seed=0, **fields):
    return sample_instance(Scenario(**fields), seed=seed)


def decide(instance, selected, jammers=(), power=1e-12, beam_power=None):
    """Return a decision: a beam that adds up at the selected agents, equal powers, the rest silent."""
    scenario = instance.scenario
    selection = np.zeros(scenario.num_agents, bool)
    selection[list(selected)] = True
    powers = np.where(selection, power, 0.0)
    powers[list(jammers)] = power
    beam = instance.channel_bs[selection].sum(axis=0) if selection.any() else np.ones(scenario.num_antennas)
    target = scenario.bs_power_w if beam_power is None else beam_power
    beam = beam / max(np.linalg.norm(beam), 1e-30) * np.sqrt(target)
    return Decision(selection=selection, beamformer=beam.astype(complex), power_w=powers)


def texts(instance, decision=None, outcome=None):
    """Return all that is written in the figure."""
    from matplotlib.text import Text

    return [t.get_text() for t in figure(instance, decision, outcome).findobj(Text) if t.get_text()]


@pytest.fixture(scope="module")
def case():
    instance = network(num_agents=12, num_antennas=6, min_selected=3, min_accuracy=0.0)
    decision = decide(instance, (1, 4, 7), jammers=(2, 9))
    return instance, decision, evaluate(instance, decision)


def test_pixels_have_shape_dtype_and_ink(case):
    rgb = rgb_array(*case)
    assert rgb.shape == (700, 1100, 3)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert rgb.flags.owndata
    for half in (rgb[:, :600], rgb[:, 640:]):
        assert 0.01 < np.mean((half < 250).any(axis=-1)) < 0.6


def test_same_input_same_bytes_whatever_the_users_style(case):
    import matplotlib

    first = rgb_array(*case)
    assert rgb_array(*case[:2]).tobytes() == first.tobytes()  # the outcome is computed when it is not given
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "text.color": "red"}):
        assert rgb_array(*case).tobytes() == first.tobytes()
        assert matplotlib.rcParams["font.size"] == 30


def test_picture_differs_between_decisions(case):
    instance, decision, _ = case
    turned = decision.replace(beamformer=np.roll(decision.beamformer, 1))
    louder = decision.replace(power_w=decision.power_w * 10)
    pictures = [rgb_array(instance, d) for d in (None, decision, turned, louder)]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_figure_needs_no_pyplot_and_no_display(case):
    script = (
        "import sys, secagent_env.rendering as r, secagent_env as s\n"
        "assert not {'matplotlib', 'pygame'} & set(sys.modules), 'imported before they are needed'\n"
        "fig = r.figure(s.sample_instance(s.Scenario(num_agents=2)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(type(fig).__module__)"
    )
    env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False)
    assert done.stdout.strip() == "matplotlib.figure", done.stderr


def test_picture_states_roles_energies_and_constraints(case):
    instance, decision, outcome = case
    written = " | ".join(texts(*case))
    assert "3 computing, 2 jamming, 7 silent" in written
    assert quantity(outcome.execution_energy_j, "J") in written
    assert quantity(outcome.transmission_energy_j, "J") in written
    assert "10 W / max 10 W" in written
    assert "3 / min 3" in written
    weakest = View.of(*case).computing[0]
    assert f"weakest agent {weakest}: {decibel(sinr(instance, decision)[weakest]):.1f} dB" in written
    assert f"secrecy rate {quantity(outcome.downlink_secrecy, 'bit/s/Hz')}" in written
    assert {"0", "11", "BS", "E0"} <= set(texts(*case))  # names on the map


def sinr(instance, decision):
    """Return (3) by a loop of its own."""
    result = []
    for n in range(instance.scenario.num_agents):
        noise = instance.scenario.noise_power_w
        for m in range(instance.scenario.num_agents):
            if not decision.selection[m]:
                noise += instance.gain_agents[m, n] * decision.power_w[m]
        result.append(abs(np.vdot(instance.channel_bs[n], decision.beamformer)) ** 2 / noise)
    return result


def test_view_sorts_agents_into_roles(case):
    instance, decision, _ = case
    view = View.of(instance, decision, None)
    levels = np.array(sinr(instance, decision))
    assert view.computing.tolist() == sorted((1, 4, 7), key=lambda n: levels[n])
    assert view.jamming.tolist() == [2, 9]
    assert view.silent.tolist() == [0, 3, 5, 6, 8, 10, 11]
    np.testing.assert_allclose(view.sinr_db, 10 * np.log10(levels))
    assert np.all((view.strength(view.sinr_db) >= 0) & (view.strength(view.sinr_db) <= 1))


def test_headline_names_what_is_violated(case):
    instance, decision, _ = case
    assert View.of(instance, None, None).headline == "before a decision"
    strict = Scenario(num_agents=12, num_antennas=6, min_selected=3, min_accuracy=1.0, latency_limit_s=1.0)
    strict_instance = instance.replace(scenario=strict)
    assert View.of(strict_instance, decision, None).headline == "infeasible: accuracy, latency"
    outcome = evaluate(instance, decision)
    verdict = View.of(*case).headline
    if outcome.feasible:
        assert verdict.startswith(f"feasible · {quantity(outcome.energy_j, 'J')} · ")
    alone = decide(instance, (1,), power=1e-10)
    outcome = evaluate(instance, alone)
    lenient = instance.replace(scenario=strict.replace(min_selected=1, min_accuracy=0.0, latency_limit_s=1e9))
    assert View.of(lenient, alone, None).headline == (
        f"feasible · {quantity(outcome.energy_j, 'J')} · {quantity(outcome.latency_s, 's')}"
    )


def test_negative_power_is_named(case):
    instance, decision, _ = case
    powers = decision.power_w.copy()
    powers[3] = -0.5
    view = View.of(instance, decision.replace(power_w=powers), None)
    row = view.constraints[-1]
    assert (row.name, row.value, row.violated) == ("agent power", -0.5, True)
    assert str(row) == "−500 mW / max 2 W"
    assert 3 in view.silent


def test_text_panel_has_the_numbers_and_the_roles(case):
    _, decision, outcome = case
    panel = ansi(*case)
    lines = panel.splitlines()
    assert lines[0] == View.of(*case).headline
    assert max(map(len, lines)) <= 100
    for text in (
        "computing (3, weakest first)",
        "jamming (2)",
        "silent (7)",
        "0, 3, 5–6, 8, 10–11",
        quantity(outcome.execution_energy_j, "J"),
        quantity(outcome.transmission_energy_j, "J"),
        f"secrecy rate {quantity(outcome.downlink_secrecy, 'bit/s/Hz')}",
        "10 W / max 10 W",
        "3 / min 3",
    ):
        assert text in panel
    dbm = f"{10 * np.log10(decision.power_w[1] * 1e3):.1f} dBm".replace("-", "−")
    for agent in (1, 4, 7, 2, 9):
        assert re.search(rf"\b{agent}: {dbm}", panel)
    assert panel == ansi(*case)


def test_text_panel_marks_violations_and_stays_narrow():
    instance = network(num_agents=200, num_antennas=2)
    crowd = decide(instance, range(0, 200, 2), jammers=range(1, 100, 2), power=3.0)
    panel = ansi(instance, crowd)
    assert max(map(len, panel.splitlines())) <= 100
    assert re.search(r"agent power .* 3 W / max 2 W +VIOLATED", panel)
    assert "without secrecy on the uplink" in panel
    assert "∞" in panel
    assert "nan" not in panel.lower()


EXTREMES = {
    "before a decision": lambda: (network(), None),
    "two agents, one antenna": lambda: ((i := network(num_agents=2, num_antennas=1)), decide(i, (0,), (1,))),
    "a single agent": lambda: ((i := network(num_agents=1, num_antennas=1)), decide(i, (0,))),
    "200 agents": lambda: ((i := network(num_agents=200)), decide(i, range(70), range(90, 200))),
    "nobody selected": lambda: ((i := network()), decide(i, (), (3, 4))),
    "nobody does anything": lambda: ((i := network(num_agents=7)), decide(i, (), beam_power=0.0)),
    "selected, all silent": lambda: ((i := network()), decide(i, range(10), power=0.0)),
    "all selected, too loud": lambda: ((i := network()), decide(i, range(30), power=5.0, beam_power=1e4)),
    "six colluding eavesdroppers among the agents": lambda: (
        (i := network(num_eavesdroppers=6, eve_area_m=(20, 100), colluding=True)),
        decide(i, range(10), (12, 13), power=1e-6),
    ),
    "positions unknown": lambda: (
        (i := network(num_agents=130, num_eavesdroppers=6).replace(position_m=None)),
        decide(i, range(43), (50,)),
    ),
    "everybody in one place": lambda: (
        (i := network(area_m=(0, 0), eve_area_m=(0, 0), num_agents=5)),
        decide(i, (0, 1), (2,)),
    ),
    "zero gains": lambda: (
        (i := network().replace(channel_bs=np.zeros((30, 20), complex), gain_eve=np.zeros((30, 1)))),
        decide(i, range(10)),
    ),
    "huge and tiny numbers": lambda: (
        (
            i := network(num_agents=4, min_accuracy=0.0, latency_limit_s=1e-9, max_power_w=1e-20).replace(
                inference_time_s=np.array([1e300, 1e-300, 0.0, 1.0]), position_m=np.full((4, 2), 1e200)
            )
        ),
        decide(i, (0, 1, 2), (3,), power=1e150),
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(name):
    from matplotlib.collections import Collection, PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    instance, decision = EXTREMES[name]()
    fig = figure(instance, decision)
    fig.canvas.draw()  # warnings are errors
    drawn = [line.get_xydata() for line in fig.findobj(Line2D)]
    drawn += [bar.get_bbox().get_points() for bar in fig.findobj(Rectangle)]
    drawn += [path.vertices for group in fig.findobj(Collection) for path in group.get_paths()]
    drawn += [group.get_offsets().filled(np.nan) for group in fig.findobj(PathCollection)]
    assert all(np.isfinite(np.asarray(points, float)).all() for points in drawn)
    panel = ansi(instance, decision)
    assert "nan" not in panel.lower()
    assert max(map(len, panel.splitlines())) <= 100
    assert not any("nan" in text.lower() for text in (t.get_text() for t in fig.texts))
    assert ("positions unknown" in " ".join(t.get_text() for t in fig.texts)) == (instance.position_m is None)


@pytest.mark.parametrize("selected", [(), (1, 2), range(12)], ids=len)
@pytest.mark.parametrize("seed", range(2))
def test_labels_on_the_map_stay_inside_and_apart(selected, seed):
    instance = network(seed, num_agents=30)
    fig = figure(instance, decide(instance, selected, (20,)))
    fig.canvas.draw()
    ax = fig.axes[0]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 32  # 30 agents, base station, eavesdropper
    frame = ax.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 + 15 for box in boxes)
    overlaps = [a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k]]
    assert sum(overlaps) <= 1  # agents in nearly one place


@pytest.mark.parametrize("power", [1e-12, 3.0])
def test_text_stays_inside_the_picture(power):
    limit = 99_999.0
    instance = network(num_agents=200, num_eavesdroppers=6, colluding=True, latency_limit_s=limit)
    instance = instance.replace(inference_time_s=np.full(200, 12_345.6))
    fig = figure(instance, decide(instance, range(10), range(20, 120), power=power, beam_power=1234.5))
    fig.canvas.draw()
    for text in fig.texts:
        box = text.get_window_extent()
        assert box.x1 <= 1100, text.get_text()
        assert box.y0 >= 0, text.get_text()


def test_batches_are_refused(case):
    instance, decision, _ = case
    with pytest.raises(ValueError, match="instance must be a single one to be shown, got a batch of"):
        figure(sample_instance(instance.scenario, batch=(2,)))
    with pytest.raises(ValueError, match="decision must be a single one"):
        ansi(instance, Decision.stack([decision, decision]))


def test_torch_tensors_look_like_numpy_arrays(case):
    torch = pytest.importorskip("torch")
    instance, decision, _ = case
    assert ansi(instance.to(torch), decision.to(torch)) == ansi(instance, decision)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (11_612.0, "J", "11.6 kJ"),
        (1.13e-8, "J", "11.3 nJ"),
        (999.96, "J", "1 kJ"),
        (1e-3, "W", "1 mW"),
        (0.0, "J", "0 J"),
        (np.inf, "J", "∞ J"),
        (np.nan, "J", "–"),
        (-2.0, "W", "−2 W"),
        (532.4, "s", "532 s"),
        (3000.0, "s", "3000 s"),
        (14_870.4, "s", "14870 s"),
        (9.4e7, "s", "9.4e+07 s"),
        (0.0866, "s", "86.6 ms"),
        (0.7, "", "0.7"),
        (1e-30, "W", "1e-15 fW"),
    ],
)
def test_quantity(value, unit, text):
    assert quantity(value, unit) == text


def test_spans():
    assert spans([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"
    assert spans([]) == ""


@pytest.mark.parametrize("driver", [None, "dummy", "no-such-driver"])
def test_window_without_a_screen(monkeypatch, driver):
    pygame = pytest.importorskip("pygame")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(variable, raising=False)
    if driver is not None:
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    rgb = np.zeros((70, 110, 3), np.uint8)
    rgb[10, 100] = (1, 2, 3)
    window = Window(fps=1000)
    try:
        window.show(rgb)
        surface = pygame.display.get_surface()
        assert surface.get_size() == (110, 70)
        assert tuple(surface.get_at((100, 10)))[:3] == (1, 2, 3)
        window.show(rgb[:50])
        assert pygame.display.get_surface().get_size() == (110, 50)
        pygame.display.quit()  # what closing another environment does
        window.show(rgb)
    finally:
        window.close()
        window.close()
    assert not pygame.display.get_init()
    assert os.environ.get("SDL_VIDEODRIVER") == driver


@pytest.mark.parametrize("call", [figure, rgb_array], ids=["figure", "rgb_array"])
def test_missing_matplotlib_names_the_command(monkeypatch, case, call):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'secagent-env\[render\]'"):
        call(*case)


def test_missing_pygame_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=r"pygame.*pip install 'secagent-env\[render\]'"):
        Window().show(np.zeros((2, 2, 3), np.uint8))
    Window().close()
