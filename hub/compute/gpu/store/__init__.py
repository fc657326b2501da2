"""The GPU rooms' SQL: the pool of slices, and the samples of how busy they are."""

from hub.compute.gpu.store.pool import LEFT_US, Pool
from hub.compute.gpu.store.samples import Samples

__all__ = ["LEFT_US", "Pool", "Samples"]
