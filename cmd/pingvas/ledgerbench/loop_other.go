//go:build !linux

package ledgerbench

import "context"

func (r REST) crew(ctx context.Context, n int) (crew, error) { return connect(ctx, r, n) }
