package ledgerbench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"
)

// REST is a ledger behind HTTP. The clients keep their connections.
type REST struct {
	name, schema, addr string

	reserve func(account int, id string) request
	end     func(account int, hold string, ending Ending) request
}

// OurREST is the API of pingvas at an address. Account n is the one that secrets[n] is a key of.
func OurREST(addr string, secrets []string) REST {
	reserve := fmt.Sprintf(`{"amount":%d,"use":{"model":"sdxl-1.0","operation":"text_to_image"},"expires_in":3600}`,
		reserveAmount)
	settle := map[Ending]string{}
	for _, e := range []Ending{SettleAll, SettlePart} {
		settle[e] = fmt.Sprintf(`{"amount":%d}`, e.charge())
	}
	return REST{
		name: "pingvas", schema: Ours{}.Schema(), addr: addr,
		reserve: func(account int, id string) request {
			return request{path: "/v1/reservations", secret: secrets[account], key: "reserve " + id, body: reserve}
		},
		end: func(account int, hold string, ending Ending) request {
			r := request{path: "/v1/reservations/" + hold + "/settle", secret: secrets[account], key: "end " + hold}
			if ending == Release {
				r.path = "/v1/reservations/" + hold + "/release"
				return r
			}
			r.body = settle[ending]
			return r
		},
	}
}

// Name implements Target.
func (r REST) Name() string { return r.name }

// Schema implements Target.
func (r REST) Schema() string { return r.schema }

// Client implements Target.
func (r REST) Client(ctx context.Context) (Client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return nil, err
	}
	return &restClient{target: r, wire: newWire(impatient{conn}, r.addr)}, nil
}

// impatient is a connection on which every request has its answer in time.
type impatient struct{ net.Conn }

// Write implements io.Writer.
func (i impatient) Write(p []byte) (int, error) {
	if err := i.SetDeadline(time.Now().Add(wireTimeout)); err != nil {
		return 0, err
	}
	return i.Conn.Write(p)
}

// restClient is one connection.
type restClient struct {
	target REST
	wire   *wire
}

// Reserve implements Client. The server names the hold.
func (c *restClient) Reserve(ctx context.Context, account int, id string) (string, error) {
	body, err := c.wire.call(ctx, c.target.reserve(account, id))
	if err != nil {
		return "", err
	}
	_, rest, found := bytes.Cut(body, []byte(`"id":"`))
	hold, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return "", fmt.Errorf("the answer names no hold: %s", body)
	}
	return string(hold), nil
}

// End implements Client.
func (c *restClient) End(ctx context.Context, account int, hold string, ending Ending) error {
	_, err := c.wire.call(ctx, c.target.end(account, hold, ending))
	return err
}

// Close implements Client.
func (c *restClient) Close() error { return c.wire.conn.Close() }
