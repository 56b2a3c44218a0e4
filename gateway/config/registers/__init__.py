"""Reading registers: CSV and TOML files beside a policy, checked as strictly as the policy itself.

`sheet` reads a file's lines, `cells` what stands in them; each register has one file; `book` reads them all.
"""
