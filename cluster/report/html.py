"""A result as one HTML file that needs nothing else: no network, no server, no other file.

It decides the order of the page and how much of each list is shown. Labels come from outside:
the template escapes everything, and the page's own policy forbids it to load anything.
"""

from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined

from cluster.contracts.ingest import Finding
from cluster.contracts.result import FlowResult, PlatformResult
from cluster.report import access_figures, figures, readings, trend_readings
from cluster.report.style import MARK, counted, short_category

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE: Final = "report.html.j2"
UPLOADS_MAX: Final = 40
HELD_MAX: Final = 20
"""Cases in the table of decisions."""
RAREST_MAX: Final = 10
FINDINGS_MAX: Final = 200
FIGURES: Final[dict[str, Callable[[FlowResult], "Figure"]]] = {
    "network": figures.draw_network,
    "tag_mix": figures.draw_tag_mix,
    "incidence": figures.draw_incidence,
    "indexes": access_figures.draw_indexes,
    "first_second": access_figures.draw_first_second,
    "learning": access_figures.draw_learning,
    "spread": access_figures.draw_spread,
    "parts": access_figures.draw_parts,
    "deliveries": figures.draw_deliveries,
}
METRIC_NAMES: Final = {
    "msle": ("MSLE", "lower is better"),
    "spearman": ("Spearman", "higher is better"),
    "auroc_hot": ("AUROC", "higher is better"),
    "auprc_hot": ("AUPRC", "higher is better"),
    "brier": ("Brier", "lower is better"),
}


def render_report(result: FlowResult) -> str:
    """Return the report of a flow as one HTML document.

    Plotly's program is inside once, so the file has about 5 MB. The same result gives the same
    bytes.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "num": readings.number,
        "index": readings.index_text,
        "instant": readings.instant,
        "unavailable": readings.unavailable_text,
        "interval": readings.interval_text,
        "prior": readings.prior_text,
        "at_risk": readings.at_risk_text,
        "basis": readings.basis_text,
        "counted": counted,
        "short": short_category,
    }
    source = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(**_context(result), plotly_js=get_plotlyjs())


def _context(result: FlowResult) -> dict[str, Any]:
    """Gather what the template shows."""
    rows = readings.case_rows(result)
    n_uploads = sum(row.decision.outcome == "upload" for row in rows)
    held = rows[n_uploads : n_uploads + HELD_MAX]
    findings = _findings(result)
    return {
        "result": result,
        "plan": result.plan,
        "marks": readings.marks_of(result),
        "simulated": readings.simulated_parts(result),
        "totals": readings.totals_of(result),
        "figures": {name: _figure(draw(result)) for name, draw in FIGURES.items()},
        "platforms": [_platform(platform) for platform in result.platforms],
        "barred": [pair for pair, agreed in readings.agreements(result).items() if not agreed],
        "rows": rows[:n_uploads][:UPLOADS_MAX] + held,
        "n_held": len(held),
        "n_rows": len(rows),
        "metrics": readings.metrics_rows(result),
        "waiting": trend_readings.waiting_sentences(result),
        "metric_names": METRIC_NAMES,
        "cards": [one for one in (result.first_model, result.second_model) if one is not None],
        "update_sentence": trend_readings.update_sentence(result),
        "epochs_text": readings.epochs_text,
        "findings": findings[:FINDINGS_MAX],
        "n_findings": len(findings),
        "codes": _codes(result),
        "rarest_max": RAREST_MAX,
    }


def _figure(figure: "Figure") -> dict[str, Any]:
    """Split a figure into its title, which the page sets as text, and what plotly draws."""
    title = str(figure.layout.title.text)
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {
        "title": title.removesuffix(MARK),
        "simulated": title.endswith(MARK),
        "height": figure.layout.height,
        "drawing": {"data": drawn["data"], "layout": drawn["layout"]},
    }


def _platform(platform: PlatformResult) -> dict[str, Any]:
    """Add to a platform's result what the page counts in it."""
    screening = platform.screening
    reasons = Counter(one.reason for one in screening.cases)
    return {
        "result": platform,
        "profile": platform.tag.profile if platform.tag else None,
        "n_kept": sum(one.reason == figures.KEPT for one in screening.classes),
        "reasons": sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])),
        "rarest": [
            (row, readings.reason_text(row, screening.basis))
            for row in screening.classes[:RAREST_MAX]
        ],
        "priors": readings.prior_kinds(screening),
        "n_uploads": readings.n_uploads(platform),
        "n_received": readings.n_received(platform),
        "states": readings.state_counts(platform),
        "deliveries": readings.case_deliveries(platform),
    }


def _findings(result: FlowResult) -> list[tuple[str, Finding]]:
    """Return every finding with its platform, the gravest first."""
    gravity = {"refused": 0, "warning": 1, "note": 2}
    found = [(one.platform, f) for one in result.platforms for f in one.ingest.findings]
    return sorted(found, key=lambda pair: gravity[pair[1].level])


def _codes(result: FlowResult) -> list[tuple[str, str, int]]:
    """Count the findings of all platforms by code, as (code, level, number)."""
    counts = Counter(
        (finding.code, finding.level) for one in result.platforms for finding in one.ingest.findings
    )
    return [(code, level, n) for (code, level), n in sorted(counts.items())]
