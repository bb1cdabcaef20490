"""Make what most notebooks share, with all cores, before they run side by side with a core each.

The book's executor calls this where several notebooks have to run. Everything goes to the store, where the notebooks
find it: left alone, two of them would compute the same features at the same time, or one would wait for the other.
"""

import sys

from skinlib.base.errors import SkinlibError
from skinlib.base.settings import load_settings
from skinlib.data.opening import open_data
from skinlib.learn.prepared import prepare
from skinlib.learn.train import train


def main() -> None:
    """Draw the sample, look for copies, compute the features and train on both splits, as the environment chooses."""
    settings = load_settings()
    data = open_data(settings)
    for split in ("official", "grouped") if data.has_test else ("grouped",):
        train(prepare(data, settings, split))


if __name__ == "__main__":
    try:
        main()
    except SkinlibError as error:  # the notebooks say it, too, each in its place
        print(f"shared: {error}", file=sys.stderr)
