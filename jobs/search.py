"""python -m jobs.search --out runs/demo --term HP:0001250   finds cases and ranks diseases

By phenotype terms seen and absent, by words, by another case, by disease or by gene, over any set
of platforms, with filters. Every hit says what speaks for it and against it (S400).
"""

from typing import Annotated

import typer
from rich.text import Text

from actors.run import resumed
from actors.upkeep import search
from cluster.report.text import literal
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.query import CaseHit, CaseQuery, SearchAnswer
from jobs import shell

REASONS_SHOWN = 4


def main(
    out: shell.Out,
    term: Annotated[list[str], typer.Option(help="HPO id that was seen; repeatable")] = [],  # noqa: B006 - typer copies it
    absent: Annotated[list[str], typer.Option(help="HPO id found absent; repeatable")] = [],  # noqa: B006 - typer copies it
    text: Annotated[str, typer.Option(help="words")] = "",
    like: Annotated[str, typer.Option(help="id of a case")] = "",
    disease: Annotated[str, typer.Option(help="a disease id such as OMIM:162200")] = "",
    gene: Annotated[str, typer.Option(help="a gene symbol such as NF1")] = "",
    category: Annotated[str, typer.Option(help="an organ system of the ontology")] = "",
    state: Annotated[str, typer.Option(help="own or received; default: own of several")] = "",
    sex: Annotated[str, typer.Option(help="FEMALE or MALE")] = "",
    age: Annotated[str, typer.Option(help="years, such as 0-18")] = "",
    rare: Annotated[str, typer.Option(help="rare feature, such as 1.5-100")] = "",
    platform: Annotated[list[str], typer.Option(help="default: all")] = [],  # noqa: B006 - typer copies it
    k: Annotated[int, typer.Option(help="hits")] = 10,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    ages, heats = shell.range_of("--age", age), shell.range_of("--rare", rare)
    where = shell.checked(
        CaseFilter,
        disease_id=disease or None,
        gene=gene or None,
        category=category or None,
        state=state or None,
        sex=sex or None,
        age_min=ages[0],
        age_max=ages[1],
        rare_min=heats[0],
        rare_max=heats[1],
    )
    query = CaseQuery(
        terms=tuple(term), excluded=tuple(absent), text=text, like=like or None, where=where, k=k
    )
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        answer = search(run, query, platform)
    show(answer)


def show(answer: SearchAnswer) -> None:
    screen = shell.console()
    for remark in answer.remarks:
        screen.print(literal(remark))
    hits = shell.table("case, platform, diagnosis", "score", "alike", "why", title="cases")
    for hit in answer.hits:
        diagnosis = f"{hit.disease_id} {hit.disease_label}".strip()
        who = Text("\n").join(map(literal, (hit.case_id, hit.platform, diagnosis)))
        why = Text("\n").join(map(literal, reasons(hit)))
        hits.add_row(who, f"{hit.score:.3f}", f"{hit.similarity:.2f}", why)
    screen.print(hits if answer.hits else "no case was found")
    if answer.none_of_these is None:
        return
    ranked = shell.table("disease", "probability", "cases", title="diseases, by all cases asked")
    for disease in answer.diseases:
        name = f"{disease.disease_id} {disease.disease_label}"
        ranked.add_row(literal(name), f"{disease.probability:.1%}", str(disease.n_cases))
    ranked.add_row("none of those known here", f"{answer.none_of_these:.1%}", "")
    screen.print(ranked)
    screen.print("A likeness of cases, not a diagnosis.")


def reasons(hit: CaseHit) -> list[str]:
    lines = []
    for match in hit.matches[:REASONS_SHOWN]:
        kin = "" if match.found == match.asked else f" ~ {match.found_name}"
        through = "" if match.through == match.asked else f" through {match.through_name}"
        lines.append(f"+ {match.asked_name}{kin}{through} ({match.information:.1f} nats)")
    more = len(hit.matches) - REASONS_SHOWN
    lines += [f"+ {more} more"] if more > 0 else []
    lines += [f"- {term} is contradicted" for term in hit.against]
    return [*lines, *hit.facts]


if __name__ == "__main__":
    shell.run_job(main)
