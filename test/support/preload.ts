/** Runs before every test file. */

// Messages for a person at a terminal would drown the report.
process.env["BUNHOUSE_QUIET"] = "1"
