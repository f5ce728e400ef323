"""The pictures of `verifier radius`: ends on a line, decision regions, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import UsageError
from verifier.evidence.result_files import check_writable, write_whole

if TYPE_CHECKING:
    from verifier.network.graph import Network
    from verifier.radii.bracket import Bracket
    from verifier.radii.question import RadiusQuestion


@dataclass(frozen=True)
class Pictures:
    """What is to be drawn, and into which files.

    Attributes:
        ends: a sample's ends on a line.
        regions: the decision regions around a sample.
        images: input, perturbation and adversarial input.
        shape: of images, where the network does not tell.
        seed: of random directions.
    """

    ends: Path | None
    regions: Path | None
    images: Path | None
    shape: str
    seed: int

    def check(self, network: Network, samples: Sequence[int]) -> None:
        """Finds out before the work whether they can be drawn.

        Raises:
            UsageError: they cannot.
        """
        from verifier.pictures.bounds import check_picture
        from verifier.pictures.brackets import check_one
        from verifier.pictures.images import image_shape

        for path, option in ((self.ends, "--picture"), (self.regions, "--regions"), (self.images, "--images")):
            if path is not None:
                check_writable(path, option)
                check_picture(path, option)
                if option != "--images":
                    check_one(len(samples), option)
        if self.images is not None:
            image_shape(network, self.shape)
        elif self.shape:
            raise UsageError("a shape without images", "--shape", "give --images as well")
        if self.regions is not None and network.input_size < 2:
            raise UsageError("a single input has no regions", "--regions", "leave it out")

    def write(self, network: Network, questions: Mapping[int, RadiusQuestion], brackets: Mapping[int, Bracket]) -> None:
        """Draws them; the questions and brackets by the samples' numbers."""
        from verifier.pictures.brackets import bracket_picture
        from verifier.pictures.images import ImageRow, image_shape, images_picture
        from verifier.pictures.regions import regions_picture
        from verifier.pictures.style import norm_name, range_name

        first = next(iter(brackets))
        told = norm_name(brackets[first].norm) + range_name(questions[first].clip)
        title = f"{network.name}, sample {first}, {told}"
        if self.ends is not None:
            write_whole(self.ends, bracket_picture(brackets[first], title, self.ends.suffix))
        if self.regions is not None:
            drawn = regions_picture(questions[first], brackets[first], title, self.seed, self.regions.suffix)
            write_whole(self.regions, drawn)
        if self.images is not None:
            rows = [ImageRow(number, questions[number], bracket) for number, bracket in brackets.items()]
            title = f"{network.name}, {told}"
            shape = image_shape(network, self.shape)
            write_whole(self.images, images_picture(rows, shape, title, self.images.suffix))
