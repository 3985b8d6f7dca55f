package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Settings that pass can be used; what does not pass is named and never repeated where it may be a secret.
func FuzzSettings(f *testing.F) {
	f.Add("postgres://u:p@h/db", strings.Repeat("0a", masterKeyBytes), "b:9092", "plain", "http://h", int64(1))
	f.Add("", "", "", "", "", int64(-1))
	f.Add("postgres://%zz", "zz", "[::1", "gssapi", "http://[::1", int64(0))
	f.Add("POSTGRES:", strings.Repeat("0A", masterKeyBytes), "a:b:c", "", "https:", int64(1<<62))
	f.Fuzz(func(t *testing.T, database, master, broker, mechanism, endpoint string, wait int64) {
		ledger := ledgerSettings{DatabaseURL: database, MasterKey: master}
		brokers := kafkaSettings{Brokers: []string{broker}, Mechanism: mechanism, User: "u", Password: "p"}
		pictures := pictureSettings{Endpoint: endpoint, Bucket: "b"}
		serve := apiSettings{Addr: broker, PublicURL: endpoint, SearchDir: "d", WorkerTokens: []string{master}}
		work := workerSettings{APIURL: endpoint, Token: master, Slots: int(wait), Grace: time.Duration(wait)}
		groups := [][]error{ledger.errors(), brokers.errors(), pictures.errors(), serve.errors(), work.errors()}
		err := check(groups...)
		if err == nil {
			key, err := ledger.master()
			require.NoError(t, err)
			require.Len(t, key, masterKeyBytes)
			require.NotEmpty(t, origin(endpoint))
		}
		if len(master) > 2*masterKeyBytes && err != nil {
			require.NotContains(t, err.Error(), master)
		}
		if o := origin(endpoint); o != "" {
			_, err := url.Parse(endpoint)
			require.NoError(t, err)
		}
	})
}

// Whatever lies on the topic of progress, the streams go on.
func FuzzProgress(f *testing.F) {
	f.Add([]byte(`{"generation":"gen_1","fraction":0.5}`))
	f.Add([]byte(`{"fraction":1e999}`))
	f.Add([]byte(nil))
	hub := api.NewHub()
	f.Fuzz(func(t *testing.T, value []byte) {
		require.NoError(t, passProgress(hub, []kafka.Record{{Value: value}, {}}))
	})
}

func FuzzGenerationOf(f *testing.F) {
	for _, seed := range []string{"", "generation-", "generation-gen_1", "account-acc_1", "generation"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		id, ok := generationOf(stream)
		require.Equal(t, ok, id != "")
		if ok {
			require.Equal(t, stream, eventstore.GenerationStream(id))
		}
		again, ok := generationOf(eventstore.GenerationStream(domain.GenerationID(stream)))
		require.Equal(t, stream, string(again))
		require.Equal(t, stream != "", ok)
	})
}
