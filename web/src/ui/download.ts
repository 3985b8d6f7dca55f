import type { Image } from "../api/schema";

/** Saves the picture under the image's id. Where the store does not let the page read it, it opens in a new tab. */
export async function downloadImage(image: Image): Promise<void> {
  try {
    const response = await fetch(image.url);
    if (!response.ok) throw new Error(`the store answered ${response.status}`);
    const address = URL.createObjectURL(await response.blob());
    follow(address, (link) => {
      link.download = `${image.id}.${image.content_type.replace("image/", "")}`;
    });
    URL.revokeObjectURL(address);
  } catch {
    follow(image.url, (link) => {
      link.target = "_blank";
      link.rel = "noopener";
    });
  }
}

function follow(address: string, prepare: (link: HTMLAnchorElement) => void) {
  const link = document.createElement("a");
  link.href = address;
  prepare(link);
  link.click();
}
