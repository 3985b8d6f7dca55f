package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// timeoutFactor and timeoutLeast bound the tests of a mutant by what they take without one: many mutants never end.
	timeoutFactor = 8
	timeoutLeast  = 4 * time.Second
	// timeoutBaseline bounds tests without a mutant.
	timeoutBaseline = 2 * time.Minute
	// memoryMaxKiB bounds the address space of a test: a loop that never ends may append in every round.
	memoryMaxKiB = 8 << 20
)

// verdict is what became of a mutant.
type verdict int

const (
	killed     verdict = iota // a test failed or ran out of time
	survived                  // every test passed
	impossible                // it does not compile, so it counts as no mutant
)

// bench is a place in which one mutant at a time is tried.
type bench struct {
	dir     string
	root    string // where go runs
	packs   []pack
	timeout map[string]time.Duration // of a package's tests
}

// try runs the tests on a mutant until one fails.
func (b *bench) try(ctx context.Context, m mutant, source []byte) (verdict, error) {
	overlay, err := b.overlay(m.File, m.apply(source))
	if err != nil {
		return survived, err
	}
	for i, p := range judges(m.Package, b.packs) {
		built, err := b.build(ctx, p, overlay)
		if err != nil {
			return survived, err
		}
		if !built && i == 0 {
			return impossible, nil
		}
		if !built {
			return killed, nil
		}
		passed, err := b.run(ctx, p, b.timeout[p.Path])
		if err != nil || !passed {
			return killed, err
		}
	}
	return survived, nil
}

func (b *bench) overlay(file string, mutated []byte) (string, error) {
	changed, overlay := filepath.Join(b.dir, "mutant.go"), filepath.Join(b.dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err == nil {
		err = errors.Join(os.WriteFile(changed, mutated, 0o600), os.WriteFile(overlay, text, 0o600))
	}
	if err != nil {
		return "", fmt.Errorf("write a mutant of %s: %w", file, err)
	}
	return overlay, nil
}

func (b *bench) binary() string { return filepath.Join(b.dir, "tests") }

// build compiles the tests of a package and reports whether they compile. Without debug information it links faster.
func (b *bench) build(ctx context.Context, p pack, overlay string) (bool, error) {
	args := []string{"test", "-c", "-vet=off", "-p", "1", "-ldflags=-s -w", "-o", b.binary()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	command := exec.CommandContext(ctx, "go", append(args, p.Path)...)
	command.Dir = b.root
	return passed(ctx, command)
}

// run runs the tests that build compiled and reports whether they pass.
func (b *bench) run(ctx context.Context, p pack, limit time.Duration) (bool, error) {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, flags := range p.Rounds {
		args := []string{"-c", `ulimit -v "$1"; shift; exec "$@"`, "sh", strconv.Itoa(memoryMaxKiB), b.binary(),
			"-test.failfast"}
		command := exec.CommandContext(within, "sh", append(args, flags...)...)
		command.Dir, command.Env = p.Dir, append(os.Environ(), "GOMAXPROCS=1")
		if ok, err := passed(ctx, command); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// passed runs a command and reports whether it ended well. An error means that it could not be run or that ctx ended.
func passed(ctx context.Context, command *exec.Cmd) (bool, error) {
	err := command.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("run %s: %w", command.Path, err)
	}
	return err == nil, nil
}

// baseline runs the tests without a mutant and returns the time that those of each package may take with one.
func (b *bench) baseline(ctx context.Context) (map[string]time.Duration, error) {
	timeout := map[string]time.Duration{}
	for _, p := range b.packs {
		if !p.Tests {
			continue
		}
		built, err := b.build(ctx, p, "")
		if err != nil {
			return nil, err
		}
		began := time.Now()
		ok := built
		if built {
			ok, err = b.run(ctx, p, timeoutBaseline)
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("the tests of %s fail without any mutant", p.Path)
		}
		timeout[p.Path] = max(timeoutLeast, timeoutFactor*time.Since(began))
	}
	return timeout, nil
}
