package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
)

// lettersGroup is the consumer group whose offsets say which dead letters were dealt with.
const lettersGroup = "pingvas.deadletters"

// errorCharsMax bounds how much of an error the list shows.
const errorCharsMax = 120

// deadLettersCmd is `pingvas deadletters`.
type deadLettersCmd struct {
	List   lettersListCmd   `cmd:"" help:"List the messages that no handler could handle and that were not replayed: where they were, how often they were tried, and why."`
	Replay lettersReplayCmd `cmd:"" help:"Publish dead letters again where they were, in their order, once their cause is mended. What was replayed is not listed any more."`
}

// lettersSettings say which letters are meant.
type lettersSettings struct {
	kafkaSettings
	Topic string `placeholder:"TOPIC" help:"Only those of one topic, e.g. pingvas.results; empty for all."`
}

// lettersListCmd is `pingvas deadletters list`.
type lettersListCmd struct {
	lettersSettings
	All bool `help:"Those that were replayed, too."`
}

// lettersReplayCmd is `pingvas deadletters replay`.
type lettersReplayCmd struct {
	lettersSettings
	Offset int64 `default:"-1" help:"Only the letter at this offset of its topic, replayed before or not; needs --topic. -1 for all that were not."`
	DryRun bool  `help:"Say what would be replayed, and do nothing."`
}

// Run implements the command.
func (c *lettersListCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.open(ctx, log, func(p *parts) error { return c.list(ctx, p, os.Stdout) })
}

// Run implements the command.
func (c *lettersReplayCmd) Run(ctx context.Context, log *slog.Logger) error {
	if c.Offset >= 0 && c.Topic == "" {
		return errors.New("--offset needs --topic")
	}
	return c.open(ctx, log, func(p *parts) error { return c.replay(ctx, p, os.Stdout) })
}

func (s lettersSettings) open(ctx context.Context, log *slog.Logger, do func(*parts) error) error {
	if err := check(s.kafkaSettings.errors()); err != nil {
		return err
	}
	p := newParts(log)
	defer p.close()
	if err := p.connectKafka(ctx, s.kafkaSettings, "deadletters"); err != nil {
		return err
	}
	return do(p)
}

// topics returns the dead-letter topics that are meant.
func (s lettersSettings) topics() ([]string, error) {
	var names []string
	for _, spec := range topics(1, 0) {
		from, is := strings.CutSuffix(spec.Name, kafka.DeadLetterTopic(""))
		if is && (s.Topic == "" || s.Topic == from || s.Topic == spec.Name) {
			names = append(names, spec.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no dead letters", s.Topic)
	}
	return names, nil
}

// letters calls handle with the letters of all topics, those that were dealt with only if all are wanted.
func (s lettersSettings) letters(
	ctx context.Context, admin *kafka.Admin, all bool, handle func(kafka.Letter) error,
) error {
	names, err := s.topics()
	if err != nil {
		return err
	}
	for _, name := range names {
		lags, err := admin.Lag(ctx, lettersGroup, name)
		if err != nil {
			return err
		}
		for _, lag := range lags {
			from := lag.Start
			if !all {
				from = max(from, lag.Committed)
			}
			err := admin.Read(ctx, name, lag.Partition, from, lag.End, func(r kafka.Record) error {
				return handle(kafka.LetterOf(r))
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *lettersListCmd) list(ctx context.Context, p *parts, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tLETTER\tSINCE\tFROM\tTRIES\tHANDLER\tKEY\tERROR")
	n := 0
	err := c.letters(ctx, kafka.NewAdmin(p.kafka), c.All, func(l kafka.Letter) error {
		n++
		_, err := fmt.Fprintf(table, "%s\t%d\t%s\t%d/%d\t%d\t%s\t%s\t%s\n", l.From, l.Offset,
			l.Time.UTC().Format(time.RFC3339), l.FromPartition, l.FromOffset, l.Attempts, l.Handler, l.Key, short(l.Error))
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(out, "there are no dead letters")
		return nil
	}
	return table.Flush()
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > errorCharsMax {
		return string(runes[:errorCharsMax]) + "…"
	}
	return text
}

// replay commits after every letter, so that none is replayed twice by somebody who starts the command again.
func (c *lettersReplayCmd) replay(ctx context.Context, p *parts, out io.Writer) error {
	publisher, err := p.newPublisher()
	if err != nil {
		return err
	}
	admin, n := kafka.NewAdmin(p.kafka), 0
	err = c.letters(ctx, admin, c.Offset >= 0, func(l kafka.Letter) error {
		if c.Offset >= 0 && l.Offset != c.Offset {
			return nil
		}
		if l.From == "" {
			return fmt.Errorf("letter %d of %s does not say where it was", l.Offset, l.Topic)
		}
		n++
		if c.DryRun {
			fmt.Fprintf(out, "letter %d would go to %s/%d\n", l.Offset, l.From, l.FromPartition)
			return nil
		}
		if err := publisher.Publish(l.From, l.Message()); err != nil {
			return fmt.Errorf("replay letter %d of %s: %w", l.Offset, l.Topic, err)
		}
		fmt.Fprintf(out, "letter %d went to %s/%d\n", l.Offset, l.From, l.FromPartition)
		if c.Offset >= 0 {
			return nil
		}
		return admin.Commit(ctx, lettersGroup, l.Topic, l.Partition, l.Offset+1)
	})
	if err != nil {
		return err
	}
	if c.Offset >= 0 && n == 0 {
		return fmt.Errorf("%s has no dead letter at offset %d", c.Topic, c.Offset)
	}
	fmt.Fprintf(out, "%d dead letters\n", n)
	return nil
}
