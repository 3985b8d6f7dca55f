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
` + "`TEST_DATABASE_URL`" + ` gives the tests a server instead. The tests of search use ` + "`OPENSEARCH_*`" + `.
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
