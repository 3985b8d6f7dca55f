package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	fake "github.com/twmb/franz-go/pkg/kfake"
)

// pemFiles writes a certificate of the loopback that signs itself, and its key.
func pemFiles(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", der)
}

// A broker that asks for TLS, a certificate of the client and a password, and what is wrong with settings.
func TestKafkaSettingsForTLSAndSASL(t *testing.T) {
	t.Parallel()
	const password = "a-password-of-this-test"
	certFile, keyFile := pemFiles(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	clients := x509.NewCertPool()
	text, err := os.ReadFile(certFile)
	require.NoError(t, err)
	require.True(t, clients.AppendCertsFromPEM(text))
	broker, err := fake.NewCluster(fake.NumBrokers(1), fake.EnableSASL(),
		fake.Superuser("SCRAM-SHA-512", "ada", password), fake.Superuser("PLAIN", "ada", password),
		fake.TLS(&tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
		}))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	good := kafkaSettings{
		Brokers: broker.ListenAddrs(), TLS: true, CA: certFile, Cert: certFile, Key: keyFile,
		Mechanism: "scram-sha-512", User: "ada", Password: password,
	}
	open := func(change func(*kafkaSettings)) error {
		s := good
		change(&s)
		if err := check(s.errors()); err != nil {
			return err
		}
		p := newParts(quiet())
		defer p.close()
		return p.openKafka(t.Context(), s, "test")
	}
	require.NoError(t, open(func(*kafkaSettings) {}))
	require.NoError(t, open(func(s *kafkaSettings) { s.Mechanism = "plain" }))
	for name, wrong := range map[string]func(*kafkaSettings){
		"another password":      func(s *kafkaSettings) { s.Password = "another" },
		"a mechanism not known": func(s *kafkaSettings) { s.Mechanism = "scram-sha-256" },
		"no certificate":        func(s *kafkaSettings) { s.Cert, s.Key = "", "" },
		"half a certificate":    func(s *kafkaSettings) { s.Key = "" },
		"an issuer not trusted": func(s *kafkaSettings) { s.CA = "" },
		"no issuer in the file": func(s *kafkaSettings) { s.CA = keyFile },
		"no file":               func(s *kafkaSettings) { s.CA = keyFile + ".missing" },
		"plain text":            func(s *kafkaSettings) { s.TLS, s.CA, s.Cert, s.Key = false, "", "", "" },
		"TLS forgotten":         func(s *kafkaSettings) { s.TLS = false },
	} {
		require.Error(t, open(wrong), name)
	}
}
