package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// The record batch format, version 2 (Kafka 0.11 and later): a fixed header, then the records with variable-length
// numbers. kafka-go writes it without a producer id and sequence, which is why we encode it ourselves.
const (
	batchMagic       = 2
	batchLeaderEpoch = -1
	// batchHeaderBytes is the size of everything before the first record.
	batchHeaderBytes = 61
	// Positions of fields that are filled in last.
	lengthPrefixBytes = 4
	batchLengthAt     = lengthPrefixBytes + 8
	batchCRCAt        = lengthPrefixBytes + 17
	nullLength        = -1
)

// sequenced says which producer writes the batch and the sequence number of its first record.
type sequenced struct {
	producerID int64
	epoch      int16
	sequence   int32
}

// encodeBatch returns the batch with the 4-byte length prefix that kafka-go's raw produce call expects. records must
// not be empty.
func encodeBatch(producer sequenced, records []Record, now time.Time) []byte {
	size := lengthPrefixBytes + batchHeaderBytes
	first, last := timestamp(records[0], now), timestamp(records[0], now)
	for _, r := range records {
		size += recordSize(r.Key, r.Value, r.Headers)
		first, last = min(first, timestamp(r, now)), max(last, timestamp(r, now))
	}
	b := make([]byte, lengthPrefixBytes, size)
	b = binary.BigEndian.AppendUint64(b, 0) // base offset, set by the broker
	b = binary.BigEndian.AppendUint32(b, 0) // batch length, below
	b = appendInt32(b, batchLeaderEpoch)
	b = append(b, batchMagic)
	b = binary.BigEndian.AppendUint32(b, 0) // checksum, below
	b = binary.BigEndian.AppendUint16(b, 0) // attributes: not compressed, create time
	b = appendInt32(b, int32(len(records)-1))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, uint64(last))
	b = binary.BigEndian.AppendUint64(b, uint64(producer.producerID))
	b = binary.BigEndian.AppendUint16(b, uint16(producer.epoch))
	b = appendInt32(b, producer.sequence)
	b = appendInt32(b, int32(len(records)))
	var scratch []byte
	for i, r := range records {
		scratch = appendRecord(scratch[:0], r, i, timestamp(r, now)-first)
		b = binary.AppendVarint(b, int64(len(scratch)))
		b = append(b, scratch...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-lengthPrefixBytes))
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchLengthAt-4))
	binary.BigEndian.PutUint32(b[batchCRCAt:],
		crc32.Checksum(b[batchCRCAt+4:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func timestamp(r Record, now time.Time) int64 {
	if r.Time.IsZero() {
		return now.UnixMilli()
	}
	return r.Time.UnixMilli()
}

func appendRecord(b []byte, r Record, offsetDelta int, timeDelta int64) []byte {
	b = append(b, 0) // attributes
	b = binary.AppendVarint(b, timeDelta)
	b = binary.AppendVarint(b, int64(offsetDelta))
	b = appendNullable(b, r.Key)
	b = appendNullable(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for _, h := range r.Headers {
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendNullable(b, h.Value)
	}
	return b
}

func appendNullable(b, value []byte) []byte {
	if value == nil {
		return binary.AppendVarint(b, nullLength)
	}
	b = binary.AppendVarint(b, int64(len(value)))
	return append(b, value...)
}

func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
