#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["tensorboard"]
# ///
"""Reads the event files of a folder as TensorBoard does and prints what is in them.

    scripts/check_tensorboard.py runs/quick/tensorboard

Prints folder, tag, number of values, and first and last step and value, and exits
with 1 if there is no scalar.
"""
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    # One folder is one run.
    folders = sorted({path.parent for path in root.rglob("*tfevents*")})
    scalars = 0
    for folder in folders:
        # 0: keep every value rather than a sample of them.
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            values = events.Scalars(tag)
            first, last = values[0], values[-1]
            print(
                f"{folder.relative_to(root)}\t{tag}\t{len(values)} values\t"
                f"step {first.step}: {first.value:.6g}\tstep {last.step}: {last.value:.6g}"
            )
            scalars += len(values)
    print(f"{len(folders)} folders, {scalars} scalars")
    return 0 if scalars else 1


if __name__ == "__main__":
    sys.exit(main())
