package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// progressEvery is how many mutants pass between two lines of progress.
const progressEvery = 50

// settings are the flags.
type settings struct {
	Threshold float64
	Sample    int
	Seed      uint64
	Workers   int
	Only      string
	Report    string
	Patterns  []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := parse()
	total, err := s.run(ctx, ".", os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if total.percent() < s.Threshold {
		fmt.Fprintf(os.Stderr, "mutate: %.1f %% of the mutants were killed, less than %.1f %%\n",
			total.percent(), s.Threshold)
		os.Exit(1)
	}
}

func parse() settings {
	var s settings
	flag.Float64Var(&s.Threshold, "threshold", 85, "percentage of mutants that must be killed")
	flag.IntVar(&s.Sample, "sample", 0, "number of mutants to try, drawn by the seed; 0 tries all")
	flag.Uint64Var(&s.Seed, "seed", 1, "seed of the sample")
	flag.IntVar(&s.Workers, "workers", 2, "mutants tried at once")
	flag.StringVar(&s.Only, "only", "", "mutate only files whose path contains this")
	flag.StringVar(&s.Report, "report", "bin/mutants.txt", "file for the report")
	flag.Parse()
	s.Patterns = flag.Args()
	return s
}

// trial is a mutant and what became of it.
type trial struct {
	mutant
	source  []byte
	verdict verdict
}

// run tries the mutants of the packages and writes the report.
func (s settings) run(ctx context.Context, dir string, progress io.Writer) (tally, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return tally{}, err
	}
	packs, err := load(ctx, root, s.Patterns)
	if err != nil {
		return tally{}, err
	}
	trials, err := s.choose(packs)
	if err != nil {
		return tally{}, err
	}
	if err := (pool{root, packs, s.Workers, progress}).tryAll(ctx, trials); err != nil {
		return tally{}, err
	}
	if err := os.MkdirAll(filepath.Dir(s.Report), 0o750); err != nil {
		return tally{}, err
	}
	file, err := os.Create(s.Report)
	if err != nil {
		return tally{}, err
	}
	total := report(io.MultiWriter(file, progress), root, trials)
	return total, file.Close()
}

// choose returns the mutants to try in the order of packages, files and lines. Packages that serve tests are no
// product and have none.
func (s settings) choose(packs []pack) ([]trial, error) {
	var all []trial
	for _, p := range packs {
		if strings.HasSuffix(p.Path, "test") {
			continue
		}
		for _, name := range p.Files {
			if !strings.Contains(name, s.Only) {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			found, err := mutants(p.Path, name, source)
			if err != nil {
				return nil, err
			}
			for _, m := range found {
				all = append(all, trial{mutant: m, source: source})
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is nothing to mutate")
	}
	if s.Sample <= 0 || s.Sample >= len(all) {
		return all, nil
	}
	drawn := rand.New(rand.NewPCG(s.Seed, 0)).Perm(len(all))[:s.Sample]
	slices.Sort(drawn)
	chosen := make([]trial, 0, len(drawn))
	for _, i := range drawn {
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
