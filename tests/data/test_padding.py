"""Shares of padding against batches that are made one by one."""

from __future__ import annotations

import random
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.padding import group, share_padding

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def pad_batches(lengths: list[int], size: int) -> float:
    """The share of padding where neighbours are batched."""
    batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return 1 - sum(lengths) / sum(max(batch) * len(batch) for batch in batches)


def shares(lengths: list[int], size: int | None, **settings: object) -> dict[str, float]:
    options: dict[str, object] = {"fills": False, "batch_size": size, **settings}
    return share_padding(np.array(lengths, dtype=np.int64), 50, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lengths", "size"), [([3, 9, 1, 4, 4], 2), ([7, 1, 30, 2, 5, 6], 4), ([5, 6], 3), ([8], 1)])
def test_random_batches_are_the_mean_over_every_order(lengths: list[int], size: int) -> None:
    widths = []
    for order in permutations(lengths):
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        widths.append(sum(max(batch) * len(batch) for batch in batches))
    assert shares(lengths, size)["random"] == pytest.approx(1 - sum(lengths) / np.mean(widths))


def test_random_batches_of_many_sequences() -> None:
    generator = random.Random(5)
    lengths = [generator.randint(1, 400) for _ in range(20_000)]
    drawn = [pad_batches(generator.sample(lengths, len(lengths)), 8) for _ in range(5)]
    assert shares(lengths, 8)["random"] == pytest.approx(np.mean(drawn), abs=0.003)


@given(LENGTHS, st.integers(1, 9))
def test_full_and_sequential(lengths: list[int], size: int) -> None:
    found = shares(lengths, size, sampling="sequential")
    assert found["configured"] == pytest.approx(pad_batches(lengths, size))
    assert found["max"] == pytest.approx(1 - sum(lengths) / (50 * len(lengths)))
    assert shares(lengths, size, fills=True)["configured"] == found["max"]
    assert shares(lengths, size)["configured"] == found["random"]
    assert shares(lengths, size, sampling="group_by_length")["configured"] == found["grouped"]
    assert "configured" not in shares(lengths, size, sampling="batch_rebalance")
    assert set(shares(lengths, None)) == {"max"}


@pytest.mark.parametrize(("count", "size"), [(7, 3), (100, 4), (1003, 8), (5, 8)])
def test_grouped_is_the_order_of_the_trainer(count: int, size: int) -> None:
    """transformers draws with torch: the same permutation is put into both."""
    transformers = pytest.importorskip("transformers.trainer_pt_utils")
    torch = pytest.importorskip("torch")
    draw = random.Random(count)
    lengths = [draw.randint(1, 90) for _ in range(count)]
    generator = torch.Generator().manual_seed(3)
    expected = transformers.get_length_grouped_indices(lengths, size, generator=generator)
    permutation = torch.randperm(count, generator=torch.Generator().manual_seed(3)).tolist()

    class Given:
        def permutation(self, values: np.ndarray) -> np.ndarray:
            return values[permutation]

    found = group(np.array(lengths, dtype=np.int64), size, Given())  # type: ignore[arg-type]
    assert found.tolist() == [lengths[index] for index in expected]


def test_grouped_batches_are_a_mean_over_draws_of_the_trainer() -> None:
    transformers = pytest.importorskip("transformers.trainer_pt_utils")
    draw = random.Random(8)
    lengths = [draw.randint(1, 90) for _ in range(600)]
    drawn = []
    for _ in range(40):
        order = transformers.get_length_grouped_indices(lengths, 8)
        drawn.append(pad_batches([lengths[index] for index in order], 4))
    assert shares(lengths, 4, accumulation=2)["grouped"] == pytest.approx(np.mean(drawn), abs=0.004)


@pytest.mark.parametrize(("lengths", "size"), [([3, 9, 1, 4, 4], 2), ([7, 1, 30, 2, 5, 6, 9], 4)])
def test_a_last_batch_that_is_dropped_counts_for_nothing(lengths: list[int], size: int) -> None:
    whole = len(lengths) // size * size
    real, widths = [], []
    for order in permutations(lengths):
        batches = [order[start : start + size] for start in range(0, whole, size)]
        real.append(sum(order[:whole]))
        widths.append(sum(max(batch) * len(batch) for batch in batches))
    found = shares(lengths, size, drops_last=True, sampling="sequential")
    assert found["random"] == pytest.approx(1 - np.mean(real) / np.mean(widths))
    assert found["configured"] == pytest.approx(pad_batches(lengths[:whole], size))
    assert found["max"] == pytest.approx(1 - sum(lengths[:whole]) / (50 * whole))
    assert found != shares(lengths, size, sampling="sequential")
    assert shares(lengths, len(lengths) + 1, drops_last=True) == {}


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["sequential", "random", "group_by_length"])
@pytest.mark.parametrize("drops_last", [False, True])
def test_the_trainers_own_batches_hold_as_much_padding(tmp_path: Path, sampling: str, drops_last: bool) -> None:
    """transformers.Trainer's data loader itself: 101 sequences in batches of 4, many epochs of it."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    draw = random.Random(4)
    lengths = [draw.randint(1, 40) for _ in range(100)] + [2000]  # in order, the last batch would be wide

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(lengths)

        def __getitem__(self, index: int) -> dict[str, list[int]]:
            return {"input_ids": [1] * lengths[index]}

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=4,
        train_sampling_strategy=sampling,
        dataloader_drop_last=drops_last,
        remove_unused_columns=False,
        use_cpu=True,
        report_to=[],
    )
    trainer = transformers.Trainer(
        model=torch.nn.Linear(1, 1),
        args=arguments,
        train_dataset=Rows(),
        data_collator=lambda rows: {"sizes": torch.tensor([len(row["input_ids"]) for row in rows])},
    )
    real = width = 0
    for epoch in range(400):
        transformers.set_seed(epoch)
        for batch in trainer.get_train_dataloader():
            sizes = batch["sizes"].tolist()
            real += sum(sizes)
            width += max(sizes) * len(sizes)
    expected = 1 - real / width
    found = shares(lengths, 4, sampling=sampling, drops_last=drops_last)["configured"]
    assert found == pytest.approx(expected, abs=1e-9 if sampling == "sequential" else 0.02)
    if drops_last and sampling == "sequential":
        assert shares(lengths, 4, sampling=sampling)["configured"] != pytest.approx(expected, abs=0.02)


def test_nothing_is_no_padding() -> None:
    assert shares([0, 0], 2) == {}
    assert share_padding(np.zeros(0, dtype=np.int64), 50, fills=True, batch_size=2) == {}
