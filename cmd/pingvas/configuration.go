package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// writeConfiguration writes docs/configuration.md: every setting of every command, from the command line itself.
func writeConfiguration(out io.Writer) error {
	parser, err := kong.New(&cli{}, kong.Name("pingvas"))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	fmt.Fprint(out, configurationHead)
	writeFlags(out, "All commands", parser.Model.Flags)
	for _, leaf := range parser.Model.Leaves(true) {
		if len(leaf.Flags) > 0 {
			writeFlags(out, "`pingvas "+leaf.Path()+"`", leaf.Flags)
		}
	}
	return nil
}

const configurationHead = `<!-- Written by: go test ./cmd/pingvas -run Configuration -update -->
# Configuration

Every setting is a flag and an environment variable; the flag wins. Wrong settings are all reported at once, before
anything is started. Secrets belong into the environment, not on the command line. Two more variables concern tools:
` + "`PINGVAS_POSTGRES_BIN`" + ` names the folder of the Postgres programs that the private server uses, and
` + "`TEST_DATABASE_URL`" + ` gives the tests a server instead.

## Roles in Postgres

` + "`pingvas migrate`" + ` creates four roles that cannot log in; the login of ` + "`DATABASE_URL`" + ` owns the tables and takes the
roles on. No role can reach the ledger's own tables.

| role | what it may do |
|---|---|
| ` + "`pingvas_app`" + ` | what connections to the read models begin as: sees how far they are, and no row of theirs |
| ` + "`pingvas_reader`" + ` | sees the rows of one account, named by the setting ` + "`pingvas.tenant`" + ` of the transaction |
| ` + "`pingvas_operator`" + ` | reads the queue and what runs out by time, over all accounts |
| ` + "`pingvas_projector`" + ` | writes to the read models |

Where the login may not create roles, an administrator does it once for the cluster:

    CREATE ROLE pingvas_app NOLOGIN; CREATE ROLE pingvas_reader NOLOGIN;
    CREATE ROLE pingvas_operator NOLOGIN; CREATE ROLE pingvas_projector NOLOGIN;
    GRANT pingvas_app, pingvas_reader, pingvas_operator, pingvas_projector TO <login>;

The login must be allowed to create schemas in its database (` + "`GRANT CREATE ON DATABASE`" + `).
`

func writeFlags(out io.Writer, title string, flags []*kong.Flag) {
	fmt.Fprintf(out, "\n## %s\n\n| environment | flag | default | |\n|---|---|---|---|\n", title)
	for _, flag := range flags {
		if flag.Name == "help" {
			continue
		}
		help := strings.ReplaceAll(flag.Help, "${enum}", strings.ReplaceAll(flag.Enum, ",", ", "))
		fmt.Fprintf(out, "| %s | `--%s` | %s | %s |\n",
			code(strings.Join(flag.Envs, ", ")), flag.Name, code(flag.Default), help)
	}
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
