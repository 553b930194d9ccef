"""Named runs. Each file is one configuration; its docstring states command, duration and what came out.

    digits           the default: seconds, no download
    mnist            the same net and objective on MNIST
    fashion-mnist    the same on Fashion-MNIST
    original         the idea firstseen grew from: MLP 7x520 -> 3-D, hinge clustering head, on MNIST

A duration is wall time on two shared cores, so its ratio to another is worth more than itself. Results are
one seed unless said otherwise; between seeds AUROC moves by about .005 on digits.
"""

from collections.abc import Mapping

from model.config import ConfigError, TrainConfig
from model.configs import digits, fashion_mnist, mnist, original

CONFIGS: Mapping[str, TrainConfig] = {
    "digits": digits.CONFIG,
    "mnist": mnist.CONFIG,
    "fashion-mnist": fashion_mnist.CONFIG,
    "original": original.CONFIG,
}


def named_config(name: str) -> TrainConfig:
    """Return the configuration of that name.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in CONFIGS:
        raise ConfigError(f"no configuration is called {name!r}; choose one of {', '.join(CONFIGS)}")
    return CONFIGS[name]
