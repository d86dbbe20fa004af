"""What a run past one machine needs: FLOPs, bytes, shards and hours, before a GPU is rented.

Every figure is a product of sizes and of a machine's rates. Those of `NODE` are data sheets' times
shares that are assumed; `benchmarks/dry_run.py` measures a machine's own, and compares a step and a
harvest there with what is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600
FLOAT = 4  # bytes of a weight, a gradient, a moment
WEIGHT_PASSES = 14  # over all weights in a step: see `Job.step_seconds`
SELECTION_PASSES = 4  # over the pre-activations: written, grouped, compared, gathered from
LABEL_BYTES = 12  # token, sequence and position of a row


@dataclass(frozen=True)
class Machine:
    """Rates of one of `processes` equal processes, all per second.

    Attributes:
        training_flops, model_flops: of the encoder's product, and of the harvested model.
        memory: bytes, of the device that holds the weights.
        read, write: bytes, of shards, with their checksums.
        exchange: bytes that leave a process in an all-reduce.
    """

    processes: int
    training_flops: float
    model_flops: float
    memory: float
    read: float
    write: float
    exchange: float


# Eight H100 SXM: 989 TFLOP/s in bfloat16, 3.35 TB/s, NVLink 450 GB/s each way; the shares assumed
# are 0.4, 0.4, 0.7 and 0.6. A core checks and copies about a gigabyte of shards in a second.
NODE = Machine(8, 0.4 * 989e12, 0.4 * 989e12, 0.7 * 3.35e12, 1e9, 0.5e9, 0.6 * 450e9)


@dataclass(frozen=True)
class Job:
    """A TopK SAE on activations of one site, stored in bfloat16.

    Attributes:
        activations: rows to harvest, and to train on once.
        parameters: of the model, all of which a token passes: an upper bound for a site half-way.
        d_in, d_sae, k: of the SAE.
        batch_size: of all processes together.
        shard_rows: rows of a shard.
    """

    activations: int = 10**9
    parameters: int = 7 * 10**9
    d_in: int = 4096
    d_sae: int = 65_536
    k: int = 64
    batch_size: int = 65_536
    shard_rows: int = 65_536

    @property
    def weights(self) -> int:
        return 2 * self.d_in * self.d_sae

    @property
    def row_bytes(self) -> int:
        return 2 * self.d_in + LABEL_BYTES

    @property
    def shards(self) -> int:
        return -(-self.activations // self.shard_rows)

    @property
    def training_flops(self) -> int:
        """Per activation: all pre-activations, and twice forward, twice backward the k active."""
        return 2 * self.d_in * self.d_sae + 8 * self.k * self.d_in

    @property
    def steps(self) -> int:
        return self.activations // self.batch_size

    @property
    def state_bytes(self) -> int:
        """Weights, gradients and Adam's two moments; a checkpoint has all but the gradients."""
        return 4 * FLOAT * self.weights

    def harvest_seconds(self, machine: Machine) -> dict[str, float]:
        """The model's forward passes, and writing the shards."""
        own = self.activations / machine.processes
        return {
            "model": own * 2 * self.parameters / machine.model_flops,
            "write": own * self.row_bytes / machine.write,
        }

    def step_seconds(self, machine: Machine) -> dict[str, float]:
        """Where a step's time goes; one part follows the other, as the trainer has it.

        The weights are gone over by Adam (4 reads, 3 writes), the gradient (2 writes), its mean
        (2) and the unit rows of W_dec (6 over half of them): 14 passes. A ring all-reduce sends
        2 (p - 1) / p times the gradient.
        """
        p = machine.processes
        rows = self.batch_size / p
        selected = SELECTION_PASSES * self.d_sae + 4 * self.k * self.d_in
        return {
            "read": rows * self.row_bytes / machine.read,
            "encode and decode": rows * self.training_flops / machine.training_flops,
            "select and gather": rows * FLOAT * selected / machine.memory,
            "weights": WEIGHT_PASSES * FLOAT * self.weights / machine.memory,
            "exchange": 2 * (p - 1) / p * FLOAT * self.weights / machine.exchange,
        }

    def train_seconds(self, machine: Machine) -> float:
        return self.steps * sum(self.step_seconds(machine).values())


def scaled(value: float, unit: str) -> str:
    """1.4e19 FLOP as "14 EFLOP"."""
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if value >= 10**power:
            return f"{value / 10**power:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
