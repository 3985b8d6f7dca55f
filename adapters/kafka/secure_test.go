package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/stretchr/testify/require"
	fake "github.com/twmb/franz-go/pkg/kfake"

	"github.com/pingvas/pingvas/adapters/kafka"
)

// certificate makes one of the loopback that signs itself, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func scrambled(t *testing.T, algorithm scram.Algorithm, password string) sasl.Mechanism {
	t.Helper()
	mechanism, err := scram.Mechanism(algorithm, "ada", password)
	require.NoError(t, err)
	return mechanism
}

// Everything that opens a connection of its own must use TLS and SASL: the pool, the readers of partitions, the groups
// and the administration.
func TestEverythingWorksOverTLSWithSASL(t *testing.T) {
	t.Parallel()
	const password = "a-password-of-this-test"
	cert, trusted := certificate(t)
	_, others := certificate(t)
	for name, mechanism := range map[string]sasl.Mechanism{
		"PLAIN":         plain.Mechanism{Username: "ada", Password: password},
		"SCRAM-SHA-256": scrambled(t, scram.SHA256, password),
		"SCRAM-SHA-512": scrambled(t, scram.SHA512, password),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, err := fake.NewCluster(fake.NumBrokers(1), fake.EnableSASL(), fake.Superuser(name, "ada", password),
				fake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
			require.NoError(t, err)
			t.Cleanup(broker.Close)
			open := func(pool *x509.CertPool, mechanism sasl.Mechanism) *kafka.Cluster {
				config := kafka.Config{Brokers: broker.ListenAddrs(), ClientID: "test", SASL: mechanism, Logger: quiet()}
				if pool != nil {
					config.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
				}
				cluster, err := kafka.New(config)
				require.NoError(t, err)
				t.Cleanup(cluster.Close)
				return cluster
			}
			for wrong, cluster := range map[string]*kafka.Cluster{
				"no TLS":             open(nil, mechanism),
				"an unknown issuer":  open(others, mechanism),
				"no authentication":  open(trusted, nil),
				"another password":   open(trusted, plain.Mechanism{Username: "ada", Password: "another"}),
				"another (scrammed)": open(trusted, scrambled(t, scram.SHA512, "another")),
			} {
				require.Error(t, kafka.NewAdmin(cluster).Ping(t.Context()), wrong)
			}

			cluster := open(trusted, mechanism)
			require.NoError(t, kafka.NewAdmin(cluster).Ping(t.Context()))
			topic := newTopic(t, cluster, 1)
			require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, 1)...))
			ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
			require.NoError(t, err)
			records, _ := numberedRecords(1, 2)
			require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, records)))
			for _, group := range []string{topic, ""} {
				messages := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: group}), topic)
				receive(t, messages).Ack()
				receive(t, messages).Ack()
			}
			eventuallyCommitted(t, cluster, topic, 0, 2)
			require.Len(t, readRecords(t, cluster, topic, 0, 2), 2)
		})
	}
}
