"""Lint: weaknesses of what is given, each a named finding with its place and cure.

`rule` has what a rule and a finding are, `subject` what rules look at, `catalogue` all rules, and each theme a module.
"""
