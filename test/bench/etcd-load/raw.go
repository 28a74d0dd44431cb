// A second engine that costs far less than the client library: gRPC frames written by hand on a few HTTP/2 connections,
// one goroutine each, a new request for every answer, all that a read brought answered in one write. The client library
// takes as much of a small machine as etcd itself and would measure itself.

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	keyDigits   = 12
	valueDigits = 16
	windowBytes = 1 << 30
	bufferBytes = 256 << 10
)

type rawConnection struct {
	socket      net.Conn
	reader      *bufio.Reader
	writer      *bufio.Writer
	framer      *http2.Framer
	headers     []hpack.HeaderField
	block       bytes.Buffer
	encoder     *hpack.Encoder
	decoder     *hpack.Decoder
	status      string
	body        []byte
	keyEnd      int
	valueStart  int
	draw        *rand.Rand
	nextStream  uint32
	startedAt   map[uint32]time.Time
	sendWindow  int64
	unsent      int
	receivedDue int
	samples     []int32
	failed      int64
	firstError  string
	longestGap  time.Duration
	lastSuccess time.Time
}

// One gRPC message: flag, length, and the protobuf of a PutRequest or a RangeRequest.
func requestBody() (body []byte, keyEnd, valueStart int) {
	key := *prefix + "000000000000"
	message := append([]byte{0x0a, byte(len(key))}, key...)
	keyEnd = 5 + len(message)
	switch *operation {
	case "put":
		message = append(message, 0x12)
		message = binary.AppendUvarint(message, uint64(*valueBytes))
		valueStart = 5 + len(message)
		message = append(message, bytes.Repeat([]byte{'v'}, *valueBytes)...)
	case "get-local":
		message = append(message, 0x38, 1)
	}
	body = binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(body, message...), keyEnd, valueStart
}

func putDigits(target []byte, value int64) {
	for i := len(target) - 1; i >= 0; i-- {
		target[i] = byte('0' + value%10)
		value /= 10
	}
}

func openRaw(address string, seed int64, countFrom time.Time) (*rawConnection, error) {
	socket, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	c := &rawConnection{
		socket:      socket,
		reader:      bufio.NewReaderSize(socket, bufferBytes),
		writer:      bufio.NewWriterSize(socket, bufferBytes),
		draw:        rand.New(rand.NewSource(seed)),
		nextStream:  1,
		startedAt:   map[uint32]time.Time{},
		sendWindow:  65535,
		lastSuccess: countFrom,
	}
	method := "Put"
	if *operation != "put" {
		method = "Range"
	}
	c.headers = []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: "/etcdserverpb.KV/" + method},
		{Name: ":authority", Value: address},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	}
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if field.Name == "grpc-status" {
			c.status = field.Value
		} else if field.Name == "grpc-message" {
			c.firstErrorIfNone(field.Value)
		}
	})
	c.body, c.keyEnd, c.valueStart = requestBody()
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	if _, err := io.WriteString(c.writer, http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}); err != nil {
		return nil, err
	}
	if err := c.framer.WriteWindowUpdate(0, windowBytes); err != nil {
		return nil, err
	}
	return c, c.writer.Flush()
}

func (c *rawConnection) firstErrorIfNone(text string) {
	if c.firstError == "" {
		c.firstError = text
	}
}

// Sends a request, or remembers that one is due when the connection's window is used up.
func (c *rawConnection) issue(next *int64) error {
	if c.sendWindow < int64(len(c.body)) {
		c.unsent++
		return nil
	}
	number := atomic.AddInt64(next, 1) - 1
	target := number % *keys
	if *random {
		target = c.draw.Int63n(*keys)
	}
	putDigits(c.body[c.keyEnd-keyDigits:c.keyEnd], target)
	if c.valueStart > 0 && *valueBytes >= valueDigits {
		putDigits(c.body[c.valueStart:c.valueStart+valueDigits], number)
	}
	c.block.Reset()
	for _, field := range c.headers {
		if err := c.encoder.WriteField(field); err != nil {
			return err
		}
	}
	stream := c.nextStream
	c.nextStream += 2
	c.startedAt[stream] = time.Now()
	c.sendWindow -= int64(len(c.body))
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true})
	if err != nil {
		return err
	}
	return c.framer.WriteData(stream, true, c.body)
}

func (c *rawConnection) finished(stream uint32, ok bool, countFrom time.Time, stopping *int32) {
	started, known := c.startedAt[stream]
	if !known {
		return
	}
	delete(c.startedAt, stream)
	if !ok {
		c.failed++
		return
	}
	now := time.Now()
	if now.Before(countFrom) || atomic.LoadInt32(stopping) != 0 {
		return
	}
	c.samples = append(c.samples, int32(now.Sub(started)/time.Microsecond))
	if gap := now.Sub(c.lastSuccess); gap > c.longestGap {
		c.longestGap = gap
	}
	c.lastSuccess = now
}

// Handles one frame; true: a request came to its end.
func (c *rawConnection) handle(frame http2.Frame, countFrom time.Time, stopping *int32) (bool, error) {
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		if _, err := c.decoder.Write(f.HeaderBlockFragment()); err != nil {
			return false, err
		}
		if !f.HeadersEnded() {
			return false, errors.New("a header block in several frames is not supported")
		}
		if f.StreamEnded() {
			c.finished(f.StreamID, c.status == "0", countFrom, stopping)
			c.status = ""
			return true, nil
		}
	case *http2.DataFrame:
		c.receivedDue += int(f.Length)
		if c.receivedDue > windowBytes/2 {
			if err := c.framer.WriteWindowUpdate(0, uint32(c.receivedDue)); err != nil {
				return false, err
			}
			c.receivedDue = 0
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.sendWindow += int64(f.Increment)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return false, c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return false, c.framer.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		c.firstErrorIfNone(f.ErrCode.String())
		c.finished(f.StreamID, false, countFrom, stopping)
		return true, nil
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("the server goes away: %v", f.ErrCode)
	}
	return false, nil
}

// Keeps the given number of requests outstanding until told to stop.
func (c *rawConnection) run(outstanding int, next *int64, countFrom time.Time, stopping *int32) error {
	due := outstanding
	for {
		if atomic.LoadInt32(stopping) != 0 {
			return nil
		}
		due += c.unsent
		c.unsent = 0
		for ; due > 0; due-- {
			if err := c.issue(next); err != nil {
				return err
			}
		}
		if err := c.writer.Flush(); err != nil {
			return err
		}
		for first := true; first || c.reader.Buffered() > 0; first = false {
			frame, err := c.framer.ReadFrame()
			if err != nil {
				return err
			}
			ended, err := c.handle(frame, countFrom, stopping)
			if err != nil {
				return err
			}
			if ended {
				due++
			}
		}
	}
}
