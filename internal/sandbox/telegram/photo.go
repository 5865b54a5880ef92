package telegram

import (
	"bytes"
	"image"
	_ "image/gif"  // decoded
	_ "image/jpeg" // decoded
	_ "image/png"  // decoded
)

// Limits of a photo (Bot API: sendPhoto).
const (
	maxPhoto      = 10 << 20 // bytes
	maxPhotoSides = 10_000   // width and height together
	maxPhotoRatio = 20
)

// setDimensions decodes the photo, sets its width and height, and refuses what
// Telegram can't convert to a JPEG.
func (d *Document) setDimensions() *apiError {
	if len(d.Data) > maxPhoto {
		return badRequest("file of size %d bytes is too big for a photo; the maximum size is %d bytes", len(d.Data), maxPhoto)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(d.Data))
	if err != nil {
		return badRequest("IMAGE_PROCESS_FAILED")
	}
	w, h := config.Width, config.Height
	if w < 1 || h < 1 || w+h > maxPhotoSides || w > maxPhotoRatio*h || h > maxPhotoRatio*w {
		return badRequest("PHOTO_INVALID_DIMENSIONS")
	}
	if _, _, err := image.Decode(bytes.NewReader(d.Data)); err != nil {
		return badRequest("IMAGE_PROCESS_FAILED")
	}
	d.Width, d.Height = w, h
	return nil
}
