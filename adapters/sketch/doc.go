// Package sketch is the image engine for machines without a GPU. It draws a procedural picture from the words of the
// prompt: a palette and a landscape from those it knows, an abstract flow of colours otherwise. It is no model and
// understands nothing.
//
// The same prompt, negative prompt, model, seed, size and steps give the same pixels on every platform. Therefore all
// arithmetic is in integers: coordinates and weights are fixed point with 16 fractional bits, colours have 12 bits.
// The one float operation is the square root, which IEEE 754 fixes to the last bit.
//
// A picture is the mean of one jittered sample of each pixel per step. Early samples scatter widely and weigh little,
// late ones are sharp, so that the picture comes out of the noise and more steps make smoother edges.
package sketch
