import { useRef, useState } from "react";
import type { Image } from "../api/schema";
import { useApp } from "./context";

const RENEW_EVERY_MS = 60_000;

interface StoredImageProps {
  image: Image;
  variant: "original" | "thumbnail";
  alt: string;
  className?: string;
}

/** A picture from the store. Its address holds only for a while, so a failure asks for a new one. */
export function StoredImage({ image, variant, alt, className = "" }: StoredImageProps) {
  const { detail } = useApp();
  const url = addressOf(image, variant);
  const askedAt = useRef(0);
  const [renewed, setRenewed] = useState<{ from: string; image: Image } | null>(null);
  const shown = renewed?.from === url ? addressOf(renewed.image, variant) : url;

  async function renew() {
    if (Date.now() - askedAt.current < RENEW_EVERY_MS) return;
    askedAt.current = Date.now();
    const fresh = await detail.getState().freshen(image.id);
    if (fresh) setRenewed({ from: url, image: fresh });
  }

  return (
    <img
      src={shown}
      alt={alt}
      width={image.width}
      height={image.height}
      loading="lazy"
      decoding="async"
      className={className}
      onError={() => void renew()}
    />
  );
}

function addressOf(image: Image, variant: "original" | "thumbnail"): string {
  return variant === "original" ? image.url : image.thumbnail_url;
}
