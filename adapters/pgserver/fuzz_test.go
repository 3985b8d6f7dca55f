package pgserver

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever archive is downloaded, nothing is written outside of its folder.
func FuzzUntar(f *testing.F) {
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../out", Mode: 0o4755, Size: 1}, {Typeflag: tar.TypeReg, Name: "/abs", Size: 1},
		{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "../.."}, {Typeflag: tar.TypeDir, Name: "a/../../b"},
		{Typeflag: tar.TypeReg, Name: ".", Size: 1}, {Typeflag: tar.TypeChar, Name: "null"}, {Typeflag: tar.TypeDir},
	} {
		var packed bytes.Buffer
		w := tar.NewWriter(&packed)
		require.NoError(f, w.WriteHeader(&header))
		_, _ = w.Write([]byte("x")[:header.Size])
		require.NoError(f, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "link/file", Size: 0}))
		require.NoError(f, w.Close())
		f.Add(packed.Bytes())
	}
	around := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte) {
		tree := filepath.Join(around, "tree")
		_ = untar(bytes.NewReader(archive), tree) // it may be refused, or be unpacked in part
		entries, err := os.ReadDir(around)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.NoError(t, filepath.WalkDir(tree, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type() != fs.ModeSymlink && !d.IsDir() {
				info, err := d.Info()
				require.NoError(t, err)
				require.True(t, info.Mode().IsRegular())
			}
			return nil
		}))
		require.NoError(t, os.RemoveAll(tree))
	})
}
