"""Golden cases in our own functions: CASES maps a family to f(config, inputs, weights) -> {"out:key": array}."""
