"""python -m jobs.fetch_weights      fetches ImageNet weights for InceptionV3

Torchvision's file of 104 MiB, into torch's cache (TORCH_HOME, else ~/.cache/torch), from which
training takes it by itself. Its digest is checked; a fetch that was cut goes on where it stopped.
No other job fetches weights (C2).
"""

from cluster.storage.starting_weights import (
    TORCHVISION,
    TORCHVISION_URL,
    fetch_weights,
    torchvision_file,
)
from jobs import shell

MIB = 1 << 20


def main() -> None:
    path = torchvision_file()
    with shell.shown_progress() as progress:
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            if done // MIB > shown:
                shown = done // MIB
                progress("MiB", shown, total // MIB)

        digest = fetch_weights(TORCHVISION_URL, path, TORCHVISION.digest, tell)
    screen = shell.console()
    for line in (TORCHVISION.card.origin, TORCHVISION.card.licence, f"SHA-256 {digest}", str(path)):
        screen.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
