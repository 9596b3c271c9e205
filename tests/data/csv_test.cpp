// Tables: how their text is split, what fields mean, and what becomes of columns.
#include "data/datasets/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "gradus/core/error.h"
#include "gradus/data.h"
#include "gradus/ops.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::data {
namespace {

using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Csv, ReadsQuotesAndAllLineEnds) {
  const std::string text =
      "\xef\xbb\xbf"
      "a,\"b \"\"c\"\"\",\r\n\n\"x\ny\",2,3\r4,5,6";
  const CsvTable table = parse_csv(text, ',', "t.csv");
  EXPECT_EQ(table.columns, 3u);
  EXPECT_THAT(table.fields, ElementsAre("a", "b \"c\"", "", "x\ny", "2", "3", "4", "5", "6"));
  EXPECT_THAT(table.lines, ElementsAre(1, 3, 5));
  EXPECT_THAT(message_of<IoError>([] { parse_csv("a,b\n1\n", ',', "t.csv"); }),
              HasSubstr("t.csv, line 2: need 2 fields"));
  EXPECT_THAT(message_of<IoError>([] { parse_csv("a\n\"b", ',', "t.csv"); }),
              HasSubstr("line 2: a quoted field has no end"));
  EXPECT_THAT(message_of<IoError>([] { parse_csv("\"b\"c", ',', "t.csv"); }), HasSubstr("text after a quoted field"));
  EXPECT_EQ(parse_csv("", ',', "t.csv").rows(), 0u);
}

TEST(Csv, GivesNumbersAndClasses) {
  const TempFolder folder;
  put_file(folder / "a.csv", "width,height,kind\n1,2.5, dog\n-3e2,+4,cat\n5,6, dog\n");
  const CsvDataset table(folder / "a.csv", {.target = "kind"});
  EXPECT_THAT(table.columns(), ElementsAre("width", "height"));
  EXPECT_THAT(table.get(1).data.to_vector<double>(), ElementsAre(-300, 4));
  EXPECT_THAT(table.classes(), ElementsAre("cat", "dog"));
  EXPECT_EQ(table.get(1).target.item<int>(), 0);
  EXPECT_EQ(table.name(1), (folder / "a.csv") + ", line 3");
  const CsvDataset some(folder / "a.csv", {.target = "width", .columns = {"height"}});
  EXPECT_THAT(some.get(0).data.to_vector<double>(), ElementsAre(2.5));
  EXPECT_EQ(some.get(1).target.dtype(), kFloat32);
  EXPECT_FALSE(CsvDataset(folder / "a.csv", {.columns = {"width"}}).get(0).target.defined());

  put_file(folder / "b.csv", "1;2\n3;\n");
  const CsvDataset bare(folder / "b.csv", {.target = "0", .header = false, .delimiter = ';', .missing = -1});
  EXPECT_THAT(bare.data().to_vector<double>(), ElementsAre(2, -1));
  EXPECT_EQ(bare.targets().dtype(), kInt64);
}

TEST(Csv, NamesLineAndColumnOfWhatIsWrong) {
  const TempFolder folder;
  const auto error = [&](const std::string& text, const CsvOptions& options = {}) {
    put_file(folder / "a.csv", text);
    return message_of<IoError>([&] { CsvDataset(folder / "a.csv", options); });
  };
  EXPECT_THAT(error("a,b\n1,2\n3,x4\n"), HasSubstr("a.csv, line 3, column b: need a number, got \"x4\""));
  EXPECT_THAT(error("a,b\n1,\n"), HasSubstr("got \"\""));
  EXPECT_THAT(error("a,b\n1,2\n", {.target = "c"}), HasSubstr("no column \"c\"; it has a, b"));
  EXPECT_THAT(error("a,b\n1,\n", {.target = "b"}), HasSubstr("need a target"));
  EXPECT_THAT(error(""), HasSubstr("is empty"));
  EXPECT_EQ(error("a,b\n"), "no exception");
  EXPECT_THROW(CsvDataset(folder / "a.csv", {.delimiter = '"'}), ValueError);
}

class CsvFile : public testing::Test {
 protected:
  CsvDataset read(const std::string& text, const CsvOptions& options = {}) {
    put_file(path(), text);
    return CsvDataset(path(), options);
  }
  std::string error(const std::string& text, const CsvOptions& options = {}) {
    return message_of<IoError>([&] { read(text, options); });
  }
  std::string path() const { return folder_ / "t.csv"; }
  static std::vector<double> numbers(const Tensor& x) { return x.to_vector<double>(); }

  TempFolder folder_;
};

TEST_F(CsvFile, FindsTheDelimiter) {
  for (const char delimiter : {',', ';', '\t', '|'}) {
    std::string text = "a,b,\"c,;|\td\"\n1,2,3\n\n4,5,6\n";
    for (char& c : text)
      if (c == ',') c = delimiter;
    const CsvDataset table = read(text);
    EXPECT_EQ(table.columns().size(), 3U) << delimiter;
    EXPECT_THAT(numbers(table.data()), ElementsAre(1, 2, 3, 4, 5, 6));
  }
  EXPECT_THAT(numbers(read("a;b\n1,5;2,25\n3;4\n", {.decimal = ','}).data()), ElementsAre(1.5, 2.25, 3, 4));
  EXPECT_THAT(numbers(read("sep=;\na;b\n1;2\n").data()), ElementsAre(1, 2));
  EXPECT_THAT(numbers(read("a\n1\n2\n").data()), ElementsAre(1, 2));
  EXPECT_THAT(numbers(read("a;b,c\n1;2,3\n", {.delimiter = ',', .one_hot = {"a;b"}}).data()), ElementsAre(1, 3));
  EXPECT_THAT(error("a;b\n1,5;2\n"),
              HasSubstr("line 2, column a: need a number, got \"1,5\"; decimal=',' reads it as 1.5"));
  EXPECT_THAT(error("a;b\n1,000;2\n"), HasSubstr("decimal=',' reads it as 1"));
  EXPECT_THROW(CsvDataset(path(), {.decimal = ';'}), ValueError);
}

TEST_F(CsvFile, IsReadAsItIsSaved) {
  const std::string expected = "a,b\n1,2\n3,4\n";
  for (const std::string& text :
       {expected, "\xef\xbb\xbf" + expected, std::string("a,b\r\n1,2\r\n3,4\r\n"), std::string("a,b\r1,2\r3,4"),
        std::string("a,b,\n1,2,\n3,4,\n"), std::string("a,b\n1,2,\n3,4,\n"), std::string("a,b,\n1,2\n3,4,\n"),
        std::string(" a , b \n 1 ,\t2\n\"3\", \"4\" \n"), std::string("\n\na,b\n1,2\n3,4\n\n")}) {
    const CsvDataset table = read(text);
    EXPECT_THAT(table.columns(), ElementsAre("a", "b")) << text;
    EXPECT_THAT(numbers(table.data()), ElementsAre(1, 2, 3, 4)) << text;
  }
  const gzFile file = gzopen((folder_ / "t.csv.gz").c_str(), "wb");
  gzwrite(file, expected.data(), static_cast<unsigned>(expected.size()));
  gzclose(file);
  EXPECT_THAT(numbers(CsvDataset(folder_ / "t.csv.gz").data()), ElementsAre(1, 2, 3, 4));
  put_file(folder_ / "t.csv.gz", test::file_bytes(folder_ / "t.csv.gz").substr(0, 20));
  EXPECT_THAT(message_of<IoError>([&] { CsvDataset(folder_ / "t.csv.gz"); }), HasSubstr("damaged gzip file"));
}

TEST_F(CsvFile, WhatIsNoTableIsNamed) {
  EXPECT_THAT(error(std::string("\xff\xfe"
                                "a\0,\0",
                                6)),
              HasSubstr("t.csv is text in UTF-16"));
  EXPECT_THAT(error(std::string("a\0,\0b\0\n\0", 8)), HasSubstr("is text in UTF-16"));
  EXPECT_THAT(error(std::string("a,b\n1,\0\n", 9)), HasSubstr("t.csv, line 2: a zero byte"));
  EXPECT_THAT(error("PK\x03\x04..."), HasSubstr("zip archive, as .xlsx files are"));
  EXPECT_THAT(error("a,b\n1,2,3\n"), HasSubstr("line 2: need 2 fields as in line 1, got 3"));
  EXPECT_THAT(error("a,b\n1\n"), HasSubstr("need 2 fields as in line 1, got 1"));
  EXPECT_THAT(error("a,a\n1,2\n", {.target = "a"}), HasSubstr("several columns \"a\""));
  // A gzip file that is made to fill the memory.
  const gzFile file = gzopen((folder_ / "bomb.gz").c_str(), "wb9");
  const std::string line(1 << 20, ' ');
  for (int i = 0; i < 300; ++i) gzwrite(file, line.data(), static_cast<unsigned>(line.size()));
  gzclose(file);
  EXPECT_THAT(message_of<IoError>([&] { CsvDataset(folder_ / "bomb.gz"); }), HasSubstr("expands to more than"));
}

TEST_F(CsvFile, ReadsNumbersAsStrtodDoes) {
  const CsvDataset target = read("x,y\n1,10.5\n+2,.5\n3.,1e-400\n-1e5,-1e400\n", {.target = "y"});
  EXPECT_THAT(numbers(target.data()), ElementsAre(1, 2, 3, -1e5));
  EXPECT_THAT(numbers(target.targets()), ElementsAre(10.5, 0.5, 0, -INFINITY));
  EXPECT_TRUE(target.classes().empty());
  ASSERT_EQ(target.notes().size(), 1U);
  EXPECT_THAT(target.notes()[0], HasSubstr("line 5, column y: \"-1e400\" is beyond float32 and counts as -inf"));
  EXPECT_TRUE(read("x\ninf\n-Infinity\n").notes().empty());
  for (const std::string field :
       {"0x1F", "1_000", "1 000", "1,5", "--1", "+-1", "1e", "abc", "-", "1e5x", "\xef\xbc\x91"})
    EXPECT_THAT(error("x|y\n1|2\n3|" + field + "\n"), HasSubstr("line 3, column y: need a number, got \"" + field))
        << field;
}

TEST_F(CsvFile, AFewFieldsThatAreNoNumbersAreNoClasses) {
  for (const std::string field : {"NA", "?", "n/a", "-", "12,5", "0x10", "missing"}) {
    const std::string text = "x|y\n1|10.5\n2|20.5\n3|" + field + "\n4|30.5\n";
    EXPECT_THAT(error(text, {.target = "y"}),
                HasSubstr("t.csv, line 4, column y: need a number as in 3 of 4 lines, got \"" + field +
                          "\"; target_type=class takes all as classes"));
    const CsvDataset classes = read(text, {.target = "y", .target_type = CsvTarget::classes});
    EXPECT_EQ(classes.classes().size(), 4U);
    EXPECT_EQ(classes.targets().dtype(), kInt64);
  }
  EXPECT_THAT(error("x,y\n1,1.5\n2,nan\n", {.target = "y"}), HasSubstr("need a target that is a number, got \"nan\""));
  EXPECT_THAT(error("x,y\n1,a\n2,\n", {.target = "y"}), HasSubstr("line 3, column y: need a target, got an empty"));
  // Names among which a few look like numbers.
  EXPECT_THAT(read("x,y\n1,A\n2,B\n3,7\n", {.target = "y"}).classes(), ElementsAre("7", "A", "B"));
}

TEST_F(CsvFile, NamesAreTrimmed) {
  const CsvDataset table = read(" x , y \n1,cat\n2, cat\n3,cat\xc2\xa0\n4,\tdog \n", {.target = "y"});
  EXPECT_THAT(table.columns(), ElementsAre("x"));
  EXPECT_THAT(table.classes(), ElementsAre("cat", "dog"));
  EXPECT_THAT(numbers(table.targets()), ElementsAre(0, 0, 0, 1));
}

TEST_F(CsvFile, TargetsAreOfTheTypeThatIsAskedFor) {
  const std::string text = "x,y\n1,2\n2,10\n3,2\n";
  EXPECT_EQ(read(text, {.target = "y"}).targets().dtype(), kInt64);
  EXPECT_EQ(read(text, {.target = "y", .target_type = CsvTarget::numbers}).targets().dtype(), kFloat32);
  const CsvDataset classes = read(text, {.target = "y", .target_type = CsvTarget::classes});
  EXPECT_THAT(classes.classes(), ElementsAre("2", "10"));
  EXPECT_THAT(numbers(classes.targets()), ElementsAre(0, 1, 0));
  const CsvOptions whole{.target = "y", .target_type = CsvTarget::integers};
  EXPECT_THAT(numbers(read("x,y\n1,2.0\n", whole).targets()), ElementsAre(2));
  EXPECT_THAT(error("x,y\n1,2.5\n", whole), HasSubstr("need a target that is a whole number, got \"2.5\""));
  const CsvDataset two = read("x,y,z\n1,2,3\n4,5,6\n", {.target = {"z", "y"}});
  EXPECT_EQ(to_string(two.targets().sizes()), "[2, 2]");
  EXPECT_EQ(two.targets().dtype(), kFloat32);
  EXPECT_THAT(numbers(two.targets()), ElementsAre(3, 2, 6, 5));
  EXPECT_THAT(numbers(two.get(1).target), ElementsAre(6, 5));
}

TEST_F(CsvFile, AFirstLineOfNumbersIsData) {
  const CsvDataset table = read("1,2,0\n3,4,1\n", {.target = "2"});
  EXPECT_EQ(table.size(), 2);
  EXPECT_THAT(table.columns(), ElementsAre("0", "1"));
  ASSERT_EQ(table.notes().size(), 1U);
  EXPECT_THAT(table.notes()[0], HasSubstr("t.csv: its first line holds only numbers, so it is data"));
  EXPECT_EQ(read("1,2\n3,4\n", {.header = true}).size(), 1);
  EXPECT_EQ(read("1,x\n3,4\n", {.header = std::nullopt}).size(), 1);
  EXPECT_THAT(read(",x\n0,4\n").notes()[0], HasSubstr("column 0 has no name"));
}

TEST_F(CsvFile, MissingFieldsGetAValueWhereThatIsSaid) {
  const std::string text = "a,b\n1,NA\n,?\nnan,2\n";
  EXPECT_THAT(error("a,b\n1,NA\n"), HasSubstr("line 2, column b: need a number, got \"NA\"; missing=0 replaces"));
  EXPECT_THAT(numbers(read(text, {.missing = -1}).data()), ElementsAre(1, -1, -1, -1, -1, 2));
  EXPECT_THAT(numbers(read("a,b\n-999,2\n", {.missing = 0, .na_values = {"-999"}}).data()), ElementsAre(0, 2));
  EXPECT_THAT(error("a,b\n,2\n", {.missing = 0, .na_values = {"-999"}}), HasSubstr("got \"\""));
}

TEST_F(CsvFile, NamesBecomeColumnsAndAnotherTableBecomesTheSame) {
  const CsvDataset train = read("color,size,y\nred,1,b\nblue,2,a\nred,3,b\n", {.target = "y", .one_hot = {"color"}});
  EXPECT_THAT(train.columns(), ElementsAre("color_blue", "color_red", "size"));
  EXPECT_THAT(numbers(train.data()), ElementsAre(0, 1, 1, 1, 0, 2, 0, 1, 3));
  const CsvOptions same{.encoding = train.encoding()};
  const CsvDataset test = read("y,size,color\nb,5,blue\n", same);
  EXPECT_THAT(numbers(test.data()), ElementsAre(1, 0, 5));
  EXPECT_THAT(numbers(test.targets()), ElementsAre(1));
  EXPECT_THAT(error("y,size,color\nb,5,green\n", same),
              HasSubstr("column color: \"green\" is none of the 2 values that are known: blue, red"));
  EXPECT_THAT(error("y,size,color\nc,5,red\n", same), HasSubstr("column y: \"c\" is none of the 2 values"));
  EXPECT_THAT(error("y,size\nb,5\n", same), HasSubstr("no column \"color\""));
  EXPECT_THAT(error("color,y\n,1\n", {.target = "y", .one_hot = {"color"}}), HasSubstr("got an empty field"));
  EXPECT_THAT(numbers(read("color,y\n,1\nred,2\n", {.target = "y", .missing = 0, .one_hot = {"color"}}).data()),
              ElementsAre(0, 1));
  EXPECT_THAT(error("color,y\nred,1\n", {.target = "y", .one_hot = {"y"}}),
              HasSubstr("one_hot: \"y\" is not a column"));
}

TEST(Standardize, IsFittedToTheRowsThatItIsGiven) {
  const Tensor rows =
      tensor(std::vector<double>{1.0, 1e6, 5.0, 3.0, 1e6 + 2, 5.0, 100.0, 0.0, 0.0}, {3, 3}, {.dtype = kFloat32});
  const TensorDataset all(rows);
  const transforms::Normalize scale = standardize(Subset(all, {0, 1}));
  EXPECT_THAT(scale.mean(), ElementsAre(2, 1e6 + 1, 5));
  EXPECT_THAT(scale.std(), ElementsAre(1, 1, 1));
  EXPECT_THAT(scale(rows[0]).to_vector<double>(), ElementsAre(-1, -1, 0));
  EXPECT_THAT(standardize(Subset(all, {0, 1}), {0}).mean(), ElementsAre(2, 0, 0));
  EXPECT_THAT(standardize(TensorDataset(tensor(std::vector<double>{1.0, NAN, 3.0}, {3, 1}))).mean(), ElementsAre(2));
  EXPECT_THROW(standardize(TensorDataset(zeros({2, 3, 3}))), ShapeError);
  EXPECT_THROW(standardize(TensorDataset(zeros({0, 3}))), ShapeError);
}

TEST(Transforms, TakeRows) {
  namespace T = transforms;
  const Tensor row = tensor(std::vector<double>{1.0, 2.0, 3.0}, {3}, {.dtype = kFloat64});
  EXPECT_EQ(T::ToDtype(kFloat32)(row).dtype(), kFloat32);
  EXPECT_EQ(T::ToDtype(kFloat32)(ones({5, 5}, {.dtype = kFloat64})).dtype(), kFloat32);
  EXPECT_EQ(T::ToDtype(kFloat32)(ones({2}, {.dtype = kInt64})).dtype(), kFloat32);
  EXPECT_THAT(T::ToTensor()(full({2}, 51, {.dtype = kUInt8})).to_vector<double>(),
              testing::Each(testing::DoubleNear(0.2, 1e-7)));
  EXPECT_THAT(T::Normalize({1, 2, 3}, {1, 2, 4})(row + 4).to_vector<double>(), ElementsAre(4, 2, 1));
  EXPECT_THAT(T::Normalize({1}, {2})(row).to_vector<double>(), ElementsAre(0, 0.5, 1));
  EXPECT_EQ(to_string(T::Normalize({1}, {2})(ones({2, 3})).sizes()), "[2, 3]");
  EXPECT_THAT(message_of<ShapeError>([&] { T::Normalize({1, 2}, {1, 2})(row); }), HasSubstr("got 2 for [3]"));
  EXPECT_THROW(T::Normalize({1, 2}, {1, 2})(ones({2, 2})), ShapeError);
}

}  // namespace
}  // namespace gradus::data
