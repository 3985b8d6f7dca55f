package commands_test

import (
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

func (c *client) reserve(s *step, _ *board) { s.Reserve = c.drawReserve(s, 0) }

// drawReserve makes a reservation of a new id. An id that was used before is for nobody to draw: a ledger forgets which
// reservations have ended.
func (c *client) drawReserve(s *step, n int) *account.Reserve {
	out := &account.Reserve{
		Reservation: domain.ReservationID(id("res_", s.N*commands.ReservationsMax+n)),
		Amount:      domain.Credits(1 + c.r.IntN(90)), Use: c.use(), At: s.At,
		Expires: s.At.Add(time.Duration(1+c.r.IntN(1200)) * time.Second),
	}
	switch c.r.IntN(100) {
	case 0:
		out.Amount = 0
	case 1:
		out.Expires = s.At
	}
	return out
}

func (c *client) settle(s *step, b *board) {
	s.Settle = &account.Settle{
		Reservation: c.hold(s, b), Charge: domain.Credits(c.r.IntN(64) - c.r.IntN(20)/19), Policy: "model", At: s.At,
	}
}

func (c *client) release(s *step, b *board) {
	s.Release = &account.Release{Reservation: c.hold(s, b), Reason: "model", Policy: "model", At: s.At}
}

func (c *client) grant(s *step, b *board) {
	g := &account.GrantCredits{
		Grant: domain.GrantID(id("grt_", s.N)), Source: oneOf(c, account.SourceTopUp, account.SourcePromotion),
		Priority: oneOf(c, 0, 50, 50, 100), Amount: domain.Credits(1 + c.r.IntN(120)), Effective: s.At, At: s.At,
	}
	if c.oneIn(2) {
		g.Expires = s.At.Add(time.Duration(1+c.r.IntN(7200)) * time.Second)
	}
	switch c.r.IntN(8) {
	case 0:
		g.Scope.Models = []string{"sdxl"}
	case 1:
		g.Scope.Operations = []string{"text_to_image"}
	case 2:
		g.Effective = s.At.Add(time.Duration(c.r.IntN(60)) * time.Second)
	case 3:
		g.Grant = b.grant
	}
	s.Grant = g
}

func (c *client) many(s *step, b *board) {
	for i := range 1 + c.r.IntN(12) {
		var one step
		one.N, one.At = s.N, s.At
		switch c.r.IntN(4) {
		case 0, 1:
			reserve := c.drawReserve(&one, i)
			if i > 0 && s.Many[i-1].Reserve != nil && c.oneIn(4) {
				reserve.Reservation = s.Many[i-1].Reserve.Reservation
			}
			s.Many = append(s.Many, commands.ReservationCommand{Reserve: reserve})
		case 2:
			c.settle(&one, b)
			s.Many = append(s.Many, commands.ReservationCommand{Settle: one.Settle})
		case 3:
			c.release(&one, b)
			s.Many = append(s.Many, commands.ReservationCommand{Release: one.Release})
		}
	}
}

func (c *client) expire(s *step, _ *board) { s.Expire = &account.ExpireDue{At: s.At} }

func (c *client) plan(s *step, _ *board) {
	plan := oneOf(c, "free", "starter", "pro", "pro", "studio", "studio", "studio", "studio", "enterprise")
	s.Plan = &plan
}

func (c *client) request(s *step, b *board) {
	in := request(s.N, 1+c.r.IntN(6))
	in.Reservation = domain.ReservationID(id("res_", s.N*commands.ReservationsMax))
	in.At = s.At
	if len(b.jobs) > 0 && c.oneIn(20) {
		in.Generation = oneOf(c, b.jobs...).id
	}
	s.Request = &in
}

func (c *client) job(s *step, b *board) {
	j := &jobStep{ID: gen(s.N), Attempt: 1, Images: c.r.IntN(5), Blocked: c.oneIn(2)}
	if len(b.jobs) > 0 && !c.oneIn(60) {
		note := oneOf(c, b.jobs...)
		j.ID, j.Attempt = note.id, note.attempt
	}
	if c.oneIn(20) {
		j.Attempt++
	}
	j.Do = oneOf(c, doClaim, doClaim, doClaim, doClaim, doComplete, doComplete, doFail, doHandBack, doGiveUp, doCancel,
		doExtend, doExtend, doEndLease, doExpire)
	if j.Do == doCancel && c.oneIn(2) {
		most := domain.Credits(c.r.IntN(3))
		j.AtMost = &most
	}
	if j.Do == doClaim || j.Do == doExtend {
		s.Key = "" // they answer what cannot be recorded
	}
	s.Job = j
}

func (c *client) image(s *step, b *board) {
	picture := domain.NewImageID(gen(s.N), 0)
	switch {
	case len(b.made) > 0 && !c.oneIn(4):
		picture = domain.NewImageID(oneOf(c, b.made...), 0)
	case len(b.jobs) > 0:
		picture = domain.NewImageID(oneOf(c, b.jobs...).id, c.r.IntN(2))
	}
	if c.oneIn(6) {
		s.Delete = &picture
		return
	}
	in := &commands.UpdateImage{Image: picture, At: s.At}
	switch {
	case c.oneIn(2):
		in.Tags = &[]string{oneOf(c, "sea", "night", "storm")}
	case c.oneIn(2):
		stars := c.r.IntN(6)
		in.Rating = &stars
	default:
		yes := c.oneIn(2)
		in.Favourite = &yes
	}
	if c.oneIn(2) {
		version := int64(c.r.IntN(3))
		in.Version = &version
	}
	s.Image = in
}
