"""Problems: the record, the generator, and the readers of the data sets' own formats."""

from sokrates.problems.problem import Problem

__all__ = ["Problem"]
