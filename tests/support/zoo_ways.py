"""Ways to score a zoo on a folder, each in a process of its own: ``python -m`` WAY FOLDER OUT.

Each prints its processor seconds after imports, all threads, building the models included, and
the most memory that it held, and writes every model's five best classes.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

# Small by the work they do, in three views: 224 of 256 bicubic, the same bilinear, 256 of 269.
ARCHES = (
    "lcnet_050", "lcnet_100", "mobilenetv3_small_100", "mobilenetv2_050", "mnasnet_small",
    "ghostnet_050", "regnetx_002", "lcnet_035", "tf_mobilenetv3_small_100",
    "mobilenetv4_conv_small_050",
)  # fmt: skip
MODELS = tuple(f"py:support.timm_models:build?arch={arch}" for arch in ARCHES)
BATCH = 32
Best = dict[str, Any]


def bare(folder: Path, kept: bool = False) -> tuple[float, Best]:
    """Forward passes alone, over batches that are ready in memory.

    Args:
        folder: The photos.
        kept: Whether memory is kept between layers, as the engine keeps it.
    """
    import torch

    from replicate.zoo import machine
    from replicate.zoo.pixels import reference_rgb
    from replicate.zoo.schemes import open_model
    from replicate.zoo.tensors import standardised
    from replicate.zoo.views import cut

    if kept:
        machine.prepare_torch()
    torch.set_num_threads(machine.usable_threads())
    best, spent = {}, 0.0
    pixels = [reference_rgb(file.read_bytes()) for file in sorted(folder.glob("*.jpg"))]
    for arch, name in zip(ARCHES, MODELS, strict=True):
        start = time.process_time()
        model = open_model(name)
        spent += time.process_time() - start
        seen = model.description
        views = np.stack([cut(image, seen.view) for image in pixels])
        batches = [
            standardised(views[at : at + BATCH], seen.mean, seen.std)
            for at in range(0, len(views), BATCH)
        ]
        start = time.process_time()
        with torch.inference_mode():
            logits = torch.cat([model.module(batch) for batch in batches])
        spent += time.process_time() - start
        best[arch] = logits.topk(5).indices.numpy()
    return spent, best


def loaders(folder: Path, arches: tuple[str, ...] = ARCHES) -> tuple[float, Best]:
    """timm's own data set, transform and loader, one model after the other in one process."""
    import timm
    import torch
    from timm.data import create_dataset, create_loader, resolve_data_config

    from replicate.zoo.machine import usable_threads

    torch.set_num_threads(usable_threads())  # more would wait for each other where others work
    best, start = {}, time.process_time()
    for arch in arches:
        torch.manual_seed(0)
        model = timm.create_model(arch, pretrained=False).eval()
        values = timm.get_pretrained_cfg(arch).to_dict()
        data = resolve_data_config(pretrained_cfg=values, use_test_size=True)
        loader = create_loader(
            create_dataset("", root=str(folder.parent)), data["input_size"], BATCH,
            use_prefetcher=False, interpolation=data["interpolation"], mean=data["mean"],
            std=data["std"], crop_pct=data["crop_pct"], crop_mode=data["crop_mode"],
            num_workers=0, device=torch.device("cpu"),
        )  # fmt: skip
        with torch.inference_mode():
            logits = torch.cat([model(batch) for batch, _ in loader])
        best[arch] = logits.topk(5).indices.numpy()
    return time.process_time() - start, best


def engine(folder: Path, output: Path) -> tuple[float, Best]:
    """The engine of `replicate score folder`."""
    for module in ("timm", "torch", "pyarrow.feather"):
        import_module(module)
    from replicate.zoo.image_sets import folder_set
    from replicate.zoo.prediction_files import read
    from replicate.zoo.scoring_job import Job
    from replicate.zoo.scoring_work import run_job
    from replicate.zoo.views import View, cut

    images = folder_set(folder, "set")
    # Compiled code is loaded from disk, as imported code is.
    cut(np.zeros((375, 500, 3), np.uint8), View((224, 224), "short", (256, 256), "bicubic"))
    start = time.process_time()
    outcomes = run_job(Job(MODELS, images, output))
    spent = time.process_time() - start
    return spent, {
        arch: read(outcome.path).scored.classes
        for arch, outcome in zip(ARCHES, outcomes, strict=True)
        if outcome.path is not None
    }


def main(way: str, folder: Path, out: Path) -> None:
    """Go one way, and say what it took."""
    ways: dict[str, Callable[[], tuple[float, Best]]] = {
        "bare": lambda: bare(folder),
        "bare, kept": lambda: bare(folder, kept=True),
        "loaders": lambda: loaders(folder),
        "engine": lambda: engine(folder, out.with_suffix("")),
    }
    spent, best = ways[way]() if way in ways else loaders(folder, (way,))
    np.savez(out, **best)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": spent, "mib": most}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
