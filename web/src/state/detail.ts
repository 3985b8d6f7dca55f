import { createStore } from "zustand/vanilla";
import { toApiError, type ApiError } from "../api/problem";
import type { Generation, Image, ImageMarks, ImageUpdate } from "../api/schema";

export interface Detail {
  /** The image that is looked at, or null. */
  image: Image | null;
  /** The generation that is looked at, by itself or as the origin of the image. */
  generation: Generation | null;
  generationId: string | null;
  error: ApiError | null;
  showImage(image: Image): void;
  showGeneration(id: string): void;
  update(change: ImageUpdate): Promise<boolean>;
  remove(): Promise<boolean>;
  /** Asks for the image again, since the addresses of its pictures hold only for a while. */
  freshen(id: string): Promise<Image | null>;
  close(): void;
}

export interface DetailConfig {
  generation: (id: string) => Promise<Generation>;
  image: (id: string) => Promise<Image>;
  updateImage: (id: string, change: ImageUpdate) => Promise<ImageMarks>;
  deleteImage: (id: string) => Promise<void>;
  onImage: (image: Image) => void;
  onMarks: (marks: ImageMarks) => void;
  onRemoved: (id: string) => void;
  onError: (error: unknown) => void;
}

export function createDetail(config: DetailConfig) {
  return createStore<Detail>((set, get) => {
    async function loadGeneration(id: string): Promise<void> {
      try {
        const generation = await config.generation(id);
        if (get().generationId === id) set({ generation });
      } catch (error) {
        if (get().generationId === id) set({ error: toApiError(error) });
      }
    }

    return {
      image: null,
      generation: null,
      generationId: null,
      error: null,
      showImage(image) {
        set({ image, generationId: image.generation, generation: null, error: null });
        void loadGeneration(image.generation);
      },
      showGeneration(id) {
        set({ image: null, generationId: id, generation: null, error: null });
        void loadGeneration(id);
      },
      async update(change) {
        const { image } = get();
        if (!image) return false;
        try {
          const marks = await config.updateImage(image.id, change);
          const { tags, favourite, rating, boards, version } = marks;
          if (get().image?.id === image.id) set({ image: { ...image, tags, favourite, rating, boards, version } });
          config.onMarks(marks);
          return true;
        } catch (error) {
          config.onError(error);
          return false;
        }
      },
      async remove() {
        const { image } = get();
        if (!image) return false;
        try {
          await config.deleteImage(image.id);
          config.onRemoved(image.id);
          get().close();
          return true;
        } catch (error) {
          config.onError(error);
          return false;
        }
      },
      async freshen(id) {
        try {
          const image = await config.image(id);
          if (get().image?.id === id) set({ image });
          config.onImage(image);
          return image;
        } catch (error) {
          config.onError(error);
          return null;
        }
      },
      close: () => set({ image: null, generation: null, generationId: null, error: null }),
    };
  });
}
