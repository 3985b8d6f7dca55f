import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.ko.KoreanPartOfSpeechStopFilter;
import org.apache.lucene.analysis.ko.KoreanReadingFormFilter;
import org.apache.lucene.analysis.ko.KoreanTokenizer;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.index.analysis.AbstractTokenFilterFactory;
import org.opensearch.index.analysis.AbstractTokenizerFactory;
import org.opensearch.index.analysis.TokenFilterFactory;
import org.opensearch.index.analysis.TokenizerFactory;
import org.opensearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.plugins.AnalysisPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node on the class path, for tests: the real server with its real HTTP, analysis and storage. The plugin
 * analysis-nori is not on Maven Central, but Lucene's analyzer, which it wraps, is: {@link Nori} is what of the plugin
 * is used here, under the same names.
 *
 * <p>Usage: Node DATA PORT [--without-nori]
 */
public final class Node extends org.opensearch.node.Node {
  private Node(Settings settings, List<Class<? extends Plugin>> plugins) {
    super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "pingvas"), plugins, true);
  }

  public static void main(String[] args) throws Exception {
    Path data = Path.of(args[0]);
    boolean nori = args.length < 3 || !args[2].equals("--without-nori");
    Settings settings =
        Settings.builder()
            .put("cluster.name", "pingvas")
            .put("node.name", "pingvas")
            .put("path.home", data)
            .put("discovery.type", "single-node")
            .put("http.type", "netty4")
            .put("transport.type", "netty4")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("action.auto_create_index", false)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    List<Class<? extends Plugin>> plugins =
        nori
            ? List.of(Netty4Plugin.class, CommonAnalysisPlugin.class, Nori.class)
            : List.of(Netty4Plugin.class, CommonAnalysisPlugin.class);
    Node node = new Node(settings, plugins);
    CountDownLatch end = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    node.close();
                  } catch (IOException e) {
                    e.printStackTrace();
                  }
                  end.countDown();
                }));
    node.start();
    System.out.println("ready");
    end.await();
  }

  /** The tokenizer and the filters of analysis-nori that the adapter asks for. */
  public static final class Nori extends Plugin implements AnalysisPlugin {
    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
      return Map.of(
          "nori_tokenizer",
          (index, environment, name, settings) -> {
            String mode = settings.get("decompound_mode", KoreanTokenizer.DEFAULT_DECOMPOUND.name());
            KoreanTokenizer.DecompoundMode decompound =
                KoreanTokenizer.DecompoundMode.valueOf(mode.toUpperCase(Locale.ENGLISH));
            return new AbstractTokenizerFactory(index, settings, name) {
              @Override
              public Tokenizer create() {
                return new KoreanTokenizer(
                    KoreanTokenizer.DEFAULT_TOKEN_ATTRIBUTE_FACTORY, null, decompound, false, true);
              }
            };
          });
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
      return Map.of(
          "nori_part_of_speech",
          (index, environment, name, settings) ->
              new AbstractTokenFilterFactory(index, name, settings) {
                @Override
                public TokenStream create(TokenStream tokens) {
                  return new KoreanPartOfSpeechStopFilter(tokens);
                }
              },
          "nori_readingform",
          (index, environment, name, settings) ->
              new AbstractTokenFilterFactory(index, name, settings) {
                @Override
                public TokenStream create(TokenStream tokens) {
                  return new KoreanReadingFormFilter(tokens);
                }
              });
    }
  }
}
