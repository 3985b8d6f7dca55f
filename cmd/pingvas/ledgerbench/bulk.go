package ledgerbench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bulk is the bulk endpoint of our API: reservations and their ends, many in one call.
type Bulk struct {
	Addr    string
	Secrets []string // of the accounts
	Size    int      // commands of one call
}

// bulkAnswer is what the measurement reads of an answer.
type bulkAnswer struct {
	Results []struct {
		Reserved *struct {
			ID string `json:"id"`
		} `json:"reserved"`
		Problem json.RawMessage `json:"problem"`
	} `json:"results"`
}

// Round has every client reserve and end until the round is over, and returns the commands per second.
func (b Bulk) Round(ctx context.Context, w Workload) (float64, error) {
	var commands atomic.Int64
	client := &http.Client{Timeout: wireTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: w.Clients}}
	defer client.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for range w.Clients {
		pick := w.picker()
		group.Go(func() error {
			for time.Since(start) < w.Round {
				if err := b.pairs(ctx, client, pick); err != nil {
					return err
				}
				commands.Add(2 * int64(b.Size))
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(commands.Load()) / time.Since(start).Seconds(), err
}

// pairs sends one call of reservations and one of their ends.
func (b Bulk) pairs(ctx context.Context, client *http.Client, pick *picker) error {
	secret := b.Secrets[pick.account()]
	var body bytes.Buffer
	for i := range b.Size {
		fmt.Fprintf(&body, `%s{"reserve":{"amount":%d,"use":{"model":"sdxl-1.0","operation":"text_to_image"}}}`,
			comma(i), reserveAmount)
	}
	made, err := b.call(ctx, client, secret, pick.id(), body.String())
	if err != nil {
		return err
	}
	body.Reset()
	for i, r := range made.Results {
		if r.Reserved == nil {
			return fmt.Errorf("a reservation of a batch was refused: %s", r.Problem)
		}
		switch ending := pick.ending(); ending {
		case Release:
			fmt.Fprintf(&body, `%s{"release":{"reservation":%q}}`, comma(i), r.Reserved.ID)
		default:
			fmt.Fprintf(&body, `%s{"settle":{"reservation":%q,"amount":%d}}`, comma(i), r.Reserved.ID, ending.charge())
		}
	}
	ended, err := b.call(ctx, client, secret, pick.id(), body.String())
	if err != nil {
		return err
	}
	for _, r := range ended.Results {
		if r.Problem != nil {
			return fmt.Errorf("an end of a batch was refused: %s", r.Problem)
		}
	}
	return nil
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func (b Bulk) call(
	ctx context.Context, client *http.Client, secret, key, commands string,
) (out bulkAnswer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.Addr+"/v1/reservations:batch",
		bytes.NewBufferString(`{"commands":[`+commands+`]}`))
	if err != nil {
		return out, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+secret)
	request.Header.Set("Idempotency-Key", key)
	response, err := client.Do(request)
	if err != nil {
		return out, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, wireAnswerMax))
	if err != nil {
		return out, fmt.Errorf("read the answer of a batch: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return out, fmt.Errorf("answer %s: %s", response.Status, body)
	}
	return out, json.Unmarshal(body, &out)
}
