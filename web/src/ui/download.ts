import type { Image } from "../api/schema";

/** Saves the picture under the image's id. Where the store does not let the page read it, it opens in a new tab. */
export async function downloadImage(image: Image): Promise<void> {
  try {
    const response = await fetch(image.url);
    if (!response.ok) throw new Error(`the store answered ${response.status}`);
    saveBlob(await response.blob(), `${image.id}.${image.content_type.replace("image/", "")}`);
  } catch {
    follow(image.url, (link) => {
      link.target = "_blank";
      link.rel = "noopener";
    });
  }
}

/** Saves something under a name. */
export function saveBlob(blob: Blob, name: string) {
  const address = URL.createObjectURL(blob);
  follow(address, (link) => {
    link.download = name;
  });
  URL.revokeObjectURL(address);
}

function follow(address: string, prepare: (link: HTMLAnchorElement) => void) {
  const link = document.createElement("a");
  link.href = address;
  prepare(link);
  link.click();
}
